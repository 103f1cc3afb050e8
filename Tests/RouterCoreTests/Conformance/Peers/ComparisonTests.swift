import Foundation
import Testing

/// The router beside other proxies. `dev/conformance` asks for it, with `SLIPWAY_CONFORMANCE_REPORT` naming the document
/// to write the tables into; else there is nothing to do.
@Suite(.timeLimit(.minutes(15))) struct `Other proxies` {
    private static let start = "<!-- tables: written by dev/conformance -->\n"
    private static let end = "<!-- end of tables -->\n"

    @Test func `are compared in the same cases, on request`() async throws {
        guard let path = ProcessInfo.processInfo.environment["SLIPWAY_CONFORMANCE_REPORT"] else { return }
        var comparison = Comparison(try CaseLibrary.all())
        try await RouterUnderTest.run { try await comparison.run("Slipway", $0) }
        for peer in PeerProxy.all {
            guard let title = peer.title else {
                print("\(peer.name) is not installed")
                continue
            }
            try await peer.run { try await comparison.run(title, $0) }
        }
        let document = try String(contentsOfFile: path, encoding: .utf8)
        let start = try #require(document.range(of: Self.start), "The document has no place for the tables.")
        let end = try #require(document.range(of: Self.end), "The place for the tables has no end.")
        let text =
            document[..<start.upperBound] + "\n" + comparison.markdown + "\n" + document[end.lowerBound...]
        try String(text).write(toFile: path, atomically: true, encoding: .utf8)
    }
}
