/// The lines of one case, and the tables that make several cases of it.
struct CaseBlock {
    var name: String
    var lines: [(number: Int, text: String)] = []

    /// Splits a file at its `== name` lines.
    static func split(_ text: String) -> [CaseBlock] {
        var blocks: [CaseBlock] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.hasPrefix("== ") {
                blocks.append(CaseBlock(name: String(line.dropFirst(3))))
            } else if !blocks.isEmpty, !line.hasPrefix("#"), !line.isEmpty {
                blocks[blocks.count - 1].lines.append((index + 1, String(line)))
            }
        }
        return blocks
    }

    /// Makes one case of each line of the table, if there is one: `{{name}}` stands for it. A line may say how the case
    /// is called, behind `<-`; else it is called by the line.
    func expanded() throws(CaseFileError) -> [CaseBlock] {
        guard let start = self.lines.firstIndex(where: { $0.text.hasPrefix("for ") }) else { return [self] }
        let variable = self.lines[start].text.dropFirst(4)
        let end = self.lines[(start + 1)...].firstIndex { !$0.text.hasPrefix("  ") } ?? self.lines.count
        guard end > start + 1 else {
            throw CaseFileError("Line \(self.lines[start].number): the table is empty.")
        }
        return self.lines[(start + 1)..<end].map { line in
            let entry = line.text.dropFirst(2)
            let parts = entry.split(separator: "<-", maxSplits: 1)
            let value = parts.count == 2 ? parts[0].trimmingSuffix { $0 == " " } : entry
            let title = parts.count == 2 ? parts[1].drop { $0 == " " } : entry
            var block = CaseBlock(name: "\(self.name): \(title)")
            let others = self.lines[..<start] + self.lines[end...]
            block.lines = others.map {
                ($0.number, $0.text.replacing("{{\(variable)}}", with: value))
            }
            return block
        }
    }
}

extension Substring {
    fileprivate func trimmingSuffix(while condition: (Character) -> Bool) -> Substring {
        var rest = self
        while let last = rest.last, condition(last) { rest.removeLast() }
        return rest
    }
}
