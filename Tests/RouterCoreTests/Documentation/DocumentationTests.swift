import Foundation
import Testing

@Suite struct `The documentation` {
    private static func lines(_ path: String) throws -> [String] {
        let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        return try String(contentsOf: here.appendingPathComponent(path), encoding: .utf8)
            .split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.trimmingCharacters(in: .whitespaces) }
    }

    /// The lines of each block of Swift.
    private static func code(_ article: [String]) -> [[String]] {
        var blocks: [[String]] = []
        var isInside = false
        for line in article {
            if line.hasPrefix("```") {
                isInside = line == "```swift"
                if isInside { blocks.append([]) }
            } else if isInside {
                blocks[blocks.count - 1].append(line)
            }
        }
        return blocks
    }

    /// Line breaks are for the formatter and for the page's width to choose.
    private static func plain(_ lines: [String]) -> String {
        lines.joined().filter { !$0.isWhitespace }
    }

    @Test(arguments: [
        ("Deploy-without-losing-one.md", "DeployGuide.swift", 7),
        ("Route-requests.md", "RoutingGuide.swift", 5),
        ("Tuning.md", "RoutingGuide.swift", 2),
    ])
    func `shows only code that compiles`(article: String, source: String, count: Int) throws {
        let blocks = Self.code(try Self.lines("../../../Sources/RouterCore/Documentation.docc/\(article)"))
        #expect(blocks.count == count)
        let compiled = Self.plain(try Self.lines(source))
        for block in blocks { #expect(compiled.contains(Self.plain(block)), "\(block)") }
    }
}
