/// Rows of text in aligned columns.
package struct TextTable: Sendable {
    /// What a column holds, and how.
    package enum Alignment: Sendable { case left, right }

    private let header: [String]
    private let alignments: [Alignment]
    private var rows: [[String]] = []

    /// Makes a table with named columns; those in `right` are aligned to the right, as numbers want.
    package init(_ header: [String], right: Set<String> = []) {
        self.header = header
        self.alignments = header.map { right.contains($0) ? .right : .left }
    }

    /// Adds a row with a cell for each column.
    package mutating func add(_ cells: String...) {
        self.rows.append(cells.map { TerminalText.line($0) })
    }

    /// The table as text, a line end after each row; the header row passes through `header`, for a colour.
    package func text(header style: (String) -> String = { $0 }) -> String {
        let all = [self.header] + self.rows
        let widths = self.header.indices.map { column in
            all.map { $0.indices.contains(column) ? Self.width($0[column]) : 0 }.max() ?? 0
        }
        var text = ""
        for (number, row) in all.enumerated() {
            var line = ""
            for (column, cell) in row.enumerated() where column < widths.count {
                if column > 0 { line += "  " }
                let padding = String(repeating: " ", count: widths[column] - Self.width(cell))
                line += self.alignments[column] == .right ? padding + cell : cell + padding
            }
            while line.last == " " { line.removeLast() }
            text += (number == 0 ? style(line) : line) + "\n"
        }
        return text
    }

    /// How many cells of a terminal the text takes: two for East Asian and emoji characters.
    private static func width(_ text: String) -> Int {
        text.reduce(0) { width, character in
            guard let scalar = character.unicodeScalars.first else { return width }
            let isWide =
                scalar.properties.isEmojiPresentation
                || (0x1100...0x115F).contains(scalar.value) || (0x2E80...0xA4CF).contains(scalar.value)
                || (0xAC00...0xD7A3).contains(scalar.value) || (0xF900...0xFAFF).contains(scalar.value)
                || (0xFE30...0xFE6F).contains(scalar.value) || (0xFF00...0xFF60).contains(scalar.value)
            return width + (isWide ? 2 : 1)
        }
    }
}
