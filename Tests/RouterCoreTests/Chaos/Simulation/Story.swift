import NIOCore

@testable import RouterCore

/// One request of a simulated world, and everything that became of it.
final class Story {
    enum Result: Equatable {
        /// Whole, from an instance.
        case answered
        /// Whole, from the router itself.
        case own(status: Int, code: String)
        /// Broken off so that the client notices.
        case cut
        /// The client's connection ended without an answer to it.
        case unanswered
    }

    /// One time that it reached an instance.
    final class Attempt {
        enum Outcome {
            case underWay
            case answered
            /// The answer was broken off.
            case cut
            /// No answer was begun.
            case broke
            case invalid
            case hung
            /// The instance said that it had not looked at it.
            case refused
            /// The router let go of it.
            case abandoned
        }
        let instance: String
        let cable: Int
        var outcome = Outcome.underWay

        init(instance: String, cable: Int) {
            self.instance = instance
            self.cable = cable
        }
    }

    let number: Int
    let method: String
    let bodyLength: Int
    /// Whether HTTP allows to send it again.
    let isReplayable: Bool
    var isSent = false
    /// Whether the client did something that excuses what became of it.
    var isExcused = false
    var attempts: [Attempt] = []
    var result: Result?

    init(number: Int, method: String, bodyLength: Int, isReplayable: Bool) {
        self.number = number
        self.method = method
        self.bodyLength = bodyLength
        self.isReplayable = isReplayable
    }

    /// Whether its last instance began an answer, and did not end it.
    var wasCut: Bool {
        switch self.attempts.last?.outcome {
        case .cut?, .invalid?, .hung?: true
        default: false
        }
    }

    // MARK: Bodies

    /// What all bodies are cut from.
    private static let bytes: ByteBuffer = {
        var random = LoopRandom(seed: 1)
        var bytes = ByteBuffer()
        for _ in 0..<8192 { bytes.writeInteger(random.next()) }
        return bytes
    }()

    /// A body's bytes, which no other request's has in this place.
    static func body(_ number: Int, _ range: Range<Int>, isResponse: Bool) -> ByteBuffer {
        let start = (number * 2 + (isResponse ? 1 : 0)) * 131 % 30_000 + range.lowerBound
        return self.bytes.getSlice(at: start, length: range.count) ?? ByteBuffer()
    }

    /// Whether these are the bytes of this request's body from `start` on.
    static func matches(_ bytes: ByteBuffer, _ number: Int, from start: Int, isResponse: Bool) -> Bool {
        bytes == self.body(number, start..<(start + bytes.readableBytes), isResponse: isResponse)
    }

    // MARK: The verdict

    /// What is wrong with how it ended; nil when all is well.
    ///
    /// - Parameters:
    ///   - weather: what could go wrong.
    ///   - crossings: how many connections an instance closed while something was on its way to it.
    func complaint(_ weather: Weather, crossings: Int) -> String? {
        let tries = self.attempts.filter { $0.outcome != .refused }
        if !self.isReplayable, tries.count > 1 { return "was given to instances \(tries.count) times" }
        if tries.filter({ $0.outcome == .answered }).count > 1 { return "was answered by instances more than once" }
        if self.attempts.count > 4 { return "was tried \(self.attempts.count) times" }
        guard let result = self.result else { return self.isExcused ? nil : "has no end" }
        if self.isExcused || weather.faults.contains(.clockJumps) { return nil }
        let last = self.attempts.last?.outcome
        switch result {
        case .answered:
            return last == .answered ? nil : "was answered, but the last instance said: \(String(describing: last))"
        case .unanswered: return "was not answered"
        case .cut:
            return last == .cut || last == .invalid || last == .hung
                ? nil : "was cut, not by its instance (\(String(describing: last)))"
        case .own(let status, let code): return self.complaint(status, code, last, weather, crossings)
        }
    }

    /// Whether the router keeps all of the request, to send it again.
    private var isKept: Bool { self.bodyLength * 7 < 4096 }

    private func complaint(
        _ status: Int, _ code: String, _ last: Attempt.Outcome?, _ weather: Weather, _ crossings: Int
    ) -> String? {
        let verdict = "was answered \(status) \(code) after \(self.attempts.map(\.outcome))"
        switch (code, last) {
        case ("upstream-invalid", .invalid?), ("upstream-broke", .cut?), ("upstream-broke", .invalid?),
            ("upstream-timeout", .hung?), ("upstream-timeout", .cut?):
            return nil
        case ("upstream-broke", .broke?), ("upstream-broke", .refused?), ("upstream-broke", nil),
            ("connect-failed", .broke?), ("connect-failed", .refused?), ("connect-failed", nil):
            let failures = self.attempts.count { $0.outcome == .broke }
            let refusals = self.attempts.count { $0.outcome == .refused }
            if code == "connect-failed", weather.faults.contains(.refusesConnections) { return nil }
            // The last try is another instance's, if there is one.
            let enough = weather.instances == 1 ? 3 : 4
            if refusals > 0, !self.isKept || failures + refusals + crossings >= enough { return nil }
            if !self.isKept { return failures + crossings > 0 ? nil : verdict }
            if !self.isReplayable { return failures == 1 || crossings > 0 ? nil : verdict }
            // Every instance was tried, or it was tried often enough.
            let isExhausted = failures + refusals + crossings >= 4
            let tried = Set(self.attempts.map(\.instance)).count + (crossings > 0 ? 1 : 0)
            return isExhausted || tried >= weather.instances ? nil : verdict
        default: return verdict
        }
    }
}
