import Foundation
import Synchronization

/// A time of day that stands still until a test moves it.
final class ManualTime: Sendable {
    private let date: Mutex<Date>

    init(_ seconds: Double = 1_000_000_000) {
        self.date = Mutex(Date(timeIntervalSince1970: seconds))
    }

    var now: Date { self.date.withLock { $0 } }

    func advance(_ seconds: Double) {
        self.date.withLock { $0 += seconds }
    }
}

/// The same numbers for the same seed, on every machine.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var z = self.state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
