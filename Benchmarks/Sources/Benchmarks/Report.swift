import Foundation

/// One line of the table: what was measured in each round, here and at a peer.
struct Row: Encodable {
    var what: String
    var unit: String
    /// Empty when it could not be measured; then `note` says why.
    var slipway: [Double] = []
    var peer: String?
    var peerValues: [Double] = []
    var note: String?

    /// The middle of the ratios of each round: what disturbs the machine disturbs both sides of one round.
    var ratio: Double? {
        guard !self.slipway.isEmpty, self.slipway.count == self.peerValues.count else { return nil }
        // A peer that needed nothing that can be counted has no ratio.
        return zip(self.slipway, self.peerValues).map { $0 / $1 }.median.flatMap { $0.isFinite ? $0 : nil }
    }
}

/// All that was measured.
struct Report {
    let machine: Machine
    var rows: [Row] = []

    /// Medians with the lowest and highest round.
    var table: String {
        let cells = self.rows.map { row in
            [
                row.what, row.slipway.isEmpty ? "not measured" : row.slipway.summary(row.unit),
                [row.peer, row.peerValues.isEmpty ? nil : row.peerValues.summary(row.unit)].compactMap { $0 }
                    .joined(separator: ": "),
                row.ratio.map { String(format: "%.2f", $0) } ?? "", row.note ?? "",
            ]
        }
        let all = [["", "Slipway", "peer", "ratio", "note"]] + cells
        let widths = (0..<5).map { column in all.map { $0[column].count }.max() ?? 0 }
        let lines = all.map { row in
            "| "
                + zip(row, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }
                .joined(separator: " | ") + " |"
        }
        let rule = "|" + widths.map { String(repeating: "-", count: $0 + 2) }.joined(separator: "|") + "|"
        return ([lines[0], rule] + lines.dropFirst()).joined(separator: "\n")
    }

    var json: String {
        get throws {
            struct Line: Encodable {
                var row: Row
                func encode(to encoder: any Encoder) throws {
                    try self.row.encode(to: encoder)
                    var container = encoder.container(keyedBy: Keys.self)
                    try container.encodeIfPresent(self.row.slipway.median, forKey: .median)
                    try container.encodeIfPresent(self.row.peerValues.median, forKey: .peerMedian)
                    try container.encodeIfPresent(self.row.ratio, forKey: .ratio)
                }
                enum Keys: CodingKey { case median, peerMedian, ratio }
            }
            struct Content: Encodable {
                var cores: Int
                var rows: [Line]
            }
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            let content = Content(cores: self.machine.cores.count, rows: self.rows.map { Line(row: $0) })
            return String(decoding: try encoder.encode(content), as: UTF8.self) + "\n"
        }
    }
}

extension [Double] {
    var median: Double? {
        guard !self.isEmpty else { return nil }
        let sorted = self.sorted()
        let middle = sorted.count / 2
        return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }

    fileprivate func summary(_ unit: String) -> String {
        if unit == "s", let median = self.median, abs(median) < 1 { return self.map { $0 * 1000 }.summary("ms") }
        func text(_ value: Double) -> String {
            String(format: abs(value) < 1 ? "%.2f" : abs(value) < 100 ? "%.1f" : "%.0f", value)
        }
        return "\(text(self.median ?? .nan)) \(unit) [\(text(self.min() ?? .nan))–\(text(self.max() ?? .nan))]"
    }
}
