/// How several proxies fare in the same cases, as tables in Markdown.
struct Comparison {
    private struct Row {
        var conformanceCase: ProxyCase
        /// What each proxy gets wrong, by its title.
        var problems: [String: [String]] = [:]
    }

    private var titles: [String] = []
    private var rows: [Row]

    init(_ cases: [ProxyCase]) { self.rows = cases.map { Row(conformanceCase: $0) } }

    mutating func run(_ title: String, _ runner: CaseRunner) async throws {
        self.titles.append(title)
        for index in self.rows.indices {
            let conformanceCase = self.rows[index].conformanceCase
            let observation = try await runner.run(conformanceCase)
            self.rows[index].problems[title] = conformanceCase.problems(in: observation)
        }
    }

    var markdown: String { self.summary + "\n" + self.differences }

    /// How many cases of each topic every proxy passes.
    private var summary: String {
        var text =
            self.line(["Topic", "cases"] + self.titles) + self.line(["---", "--:"] + self.titles.map { _ in "--:" })
        func row(_ title: String, _ rows: [Row]) -> String {
            self.line(
                [title, "\(rows.count)"]
                    + self.titles.map { name in "\(rows.count { $0.problems[name]?.isEmpty == true })" })
        }
        for topic in self.topics { text += row(topic, self.rows.filter { $0.conformanceCase.topic == topic }) }
        return text + row("**all**", self.rows)
    }

    /// The cases in which not every proxy does what is demanded.
    private var differences: String {
        var text = ""
        for topic in self.topics {
            let rows = self.rows.filter { row in
                row.conformanceCase.topic == topic && !row.problems.values.allSatisfy(\.isEmpty)
            }
            guard !rows.isEmpty else { continue }
            text += "### \(topic)\n\n" + self.line(["The proxy …", "by"] + self.titles)
            text += self.line(["---", "---"] + self.titles.map { _ in "---" })
            var seen: Set<String> = []
            for row in rows where seen.insert(row.conformanceCase.group).inserted {
                let group = self.rows.filter {
                    $0.conformanceCase.topic == topic && $0.conformanceCase.group == row.conformanceCase.group
                }
                text += self.line(
                    [row.conformanceCase.group, row.conformanceCase.source]
                        + self.titles.map { self.cell(group, $0) })
            }
            text += "\n"
        }
        return text
    }

    private func cell(_ group: [Row], _ title: String) -> String {
        let failed = group.filter { $0.problems[title]?.isEmpty == false }
        guard let first = failed.first, let problems = first.problems[title] else { return "✓" }
        let problem = problems.prefix(2).map { String($0.prefix(110)) }.joined(separator: "; ")
        let count = group.count == 1 ? "" : "\(failed.count) of \(group.count), as "
        let name = first.conformanceCase.name.dropFirst(first.conformanceCase.group.count + 2)
        return count + (group.count == 1 ? "" : "`\(name)`: ") + problem
    }

    private var topics: [String] {
        var topics: [String] = []
        for row in self.rows where topics.last != row.conformanceCase.topic { topics.append(row.conformanceCase.topic) }
        return topics
    }

    private func line(_ cells: [String]) -> String {
        "| "
            + cells.map { cell in
                cell.split(whereSeparator: \.isNewline).joined(separator: " ").replacing("|", with: "\\|")
            }.joined(separator: " | ") + " |\n"
    }
}
