/// What the client is told after a push: `report-status`.
struct ReceiveReport: Sendable {
    /// Why the pack was refused, or nil.
    var unpackFailure: String?
    /// Each command's reference with nil, or why it was refused.
    var results: [(name: String, reason: String?)] = []

    func encoded() -> [UInt8] {
        var bytes = PktLine.encode("unpack \(self.unpackFailure.map(Self.line) ?? "ok")\n")
        for (name, reason) in self.results {
            bytes += PktLine.encode(reason.map { "ng \(name) \(Self.line($0))\n" } ?? "ok \(name)\n")
        }
        return bytes + PktLine.flush
    }

    /// A reason is one line of a bounded length, and cannot move the cursor of the terminal it appears on.
    static func line(_ text: String) -> String {
        let words = text.split { $0.isNewline || $0 == "\t" }.joined(separator: " ")
        let visible = String(
            String.UnicodeScalarView(words.unicodeScalars.filter { $0.value >= 32 && $0.value != 127 }))
        return visible.isEmpty ? "refused" : String(visible.prefix(1000))
    }
}
