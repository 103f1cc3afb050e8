import Foundation
import Testing

@testable import RouterCore

/// The router's own code for connections, exchanges and streams, without a kernel: bytes come in any pieces, everything
/// happens in any order, and what goes wrong is known to the simulation. What each request may come to follows from what
/// instances and clients did.
@Suite(.timeLimit(.minutes(1))) struct `In a simulated world` {
    /// Worlds are independent; a few groups let them share the cores.
    @Test(arguments: 0..<4) func `every request has the end that it should have`(group: Int) throws {
        let all = Self.seeds
        for seed in all where seed % 4 == group { try Self.check(seed: UInt64(seed)) }
    }

    /// `SLIPWAY_SEEDS=1000-2000` tries others.
    private static var seeds: ClosedRange<Int> {
        let text = ProcessInfo.processInfo.environment["SLIPWAY_SEEDS"] ?? ""
        let bounds = text.split(separator: "-").compactMap { Int($0) }
        guard let first = bounds.first, let last = bounds.last, first <= last else { return 0...999 }
        return first...last
    }

    static func check(seed: UInt64) throws {
        let world = World(seed: seed, isLogging: false)
        try world.run()
        guard !world.complaints.isEmpty else { return }
        // The same again, with every step written down.
        let again = World(seed: seed, isLogging: true)
        try again.run()
        print("seed \(seed): \(again.weather)\n" + again.lines.suffix(400).joined(separator: "\n"))
        Issue.record("seed \(seed), \(world.weather): \(world.complaints.prefix(5).joined(separator: "; "))")
    }
}
