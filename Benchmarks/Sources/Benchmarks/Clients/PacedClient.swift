import Foundation
import Glibc

/// Asks at a rate, over 64 connections. It runs in a process of its own, so that it can be pinned to a core.
///
/// The pauses between requests are random (exponential, the same ones each time), as they are between requests of
/// people who do not know each other. A request's time runs from when it was due, so that one which had to wait for an
/// earlier one says so.
struct PacedClient {
    /// The first argument of such a process.
    static let argument = "paced-client"

    struct Summary: Codable {
        /// Requests per second that were answered.
        var rate: Double
        var failed: Int
        /// Microseconds.
        var p50: Double
        var p99: Double
    }

    private struct Connection {
        var due = 0.0
        var received: [UInt8] = []
    }

    private static let bodySize = 13
    private static let accepted = Array("HTTP/1.1 200".utf8)
    private let request = Array("GET /13B HTTP/1.1\r\nHost: \(RouterStand.host)\r\n\r\n".utf8)
    private var connections = [Connection](repeating: Connection(), count: 64)
    private var descriptors: [Int32] = []
    private var highest: Int32 = 0
    /// The descriptors that are waited for, one bit each.
    private var asked = fd_set()
    private var idle: [Int] = []
    private var random: UInt64 = 0x9e37_79b9_7f4a_7c15
    private var times: [Double] = []
    private var failed = 0
    private var buffer = [UInt8](repeating: 0, count: 16_384)

    static func main(_ arguments: ArraySlice<String>) throws {
        let numbers = arguments.compactMap { Int($0) }
        guard numbers.count == 3 else { throw Failure("\(Self.argument) wants a port, a rate and seconds") }
        var client = try Self(port: numbers[0])
        let summary = try client.run(rate: Double(numbers[1]), seconds: Double(numbers[2]))
        FileHandle.standardOutput.write(try JSONEncoder().encode(summary))
    }

    private init(port: Int) throws {
        // The kernel may otherwise end a pause 50 µs late.
        try? "1".write(toFile: "/proc/self/timerslack_ns", atomically: false, encoding: .utf8)
        for index in self.connections.indices {
            guard let descriptor = Loopback.connect(port: port) else { throw Failure("nobody listens at \(port)") }
            self.descriptors.append(descriptor)
            self.idle.append(index)
            self.highest = max(self.highest, descriptor)
            Self.toggle(descriptor, in: &self.asked)
        }
    }

    private mutating func run(rate: Double, seconds: Double) throws -> Summary {
        let start = now()
        var due = start
        var waiting = 0
        self.times.reserveCapacity(Int(rate * seconds * 1.1))
        while true {
            let time = now()
            while due <= time, due < start + seconds, let index = self.idle.popLast() {
                self.connections[index].due = due
                self.send(on: index)
                waiting += 1
                due += self.pause(rate)
            }
            let isOver = due >= start + seconds
            if isOver, waiting == 0 { break }
            guard time < start + seconds + 5 else {
                self.failed += waiting
                break
            }
            waiting -= self.receive(for: isOver || self.idle.isEmpty ? 1 : max(0, due - now()))
        }
        let elapsed = now() - start
        for descriptor in self.descriptors { close(descriptor) }
        guard !self.times.isEmpty else { throw Failure("nothing was answered") }
        self.times.sort()
        func part(_ share: Double) -> Double { self.times[Int(Double(self.times.count - 1) * share)] * 1e6 }
        return Summary(
            rate: Double(self.times.count) / elapsed, failed: self.failed, p50: part(0.5), p99: part(0.99))
    }

    private mutating func pause(_ rate: Double) -> Double {
        // xorshift64
        self.random ^= self.random << 13
        self.random ^= self.random >> 7
        self.random ^= self.random << 17
        return -log((Double(self.random >> 11) + 1) / 0x1p53) / rate
    }

    private mutating func send(on index: Int) {
        let sent = Glibc.send(self.descriptors[index], self.request, self.request.count, Int32(MSG_NOSIGNAL))
        if sent != self.request.count { self.failed += 1 }
    }

    /// Waits for answers, at most so many seconds, and says how many there were.
    private mutating func receive(for seconds: Double) -> Int {
        // Of the calls that wait, the only precise one that Swift knows.
        var limit = timespec(tv_sec: Int(seconds), tv_nsec: Int(seconds.truncatingRemainder(dividingBy: 1) * 1e9))
        var ready = self.asked
        guard pselect(self.highest + 1, &ready, nil, nil, &limit, nil) > 0 else { return 0 }
        var answered = 0
        for index in self.descriptors.indices where Self.bit(of: self.descriptors[index], in: &ready) {
            let count = recv(self.descriptors[index], &self.buffer, self.buffer.count, 0)
            if count <= 0 {
                // It is not asked again: its descriptor no longer counts.
                Self.toggle(self.descriptors[index], in: &self.asked)
                self.failed += 1
                answered += self.idle.contains(index) ? 0 : 1
                self.idle.removeAll { $0 == index }
                continue
            }
            self.connections[index].received += self.buffer[..<count]
            guard Self.isComplete(self.connections[index].received) else { continue }
            if !self.connections[index].received.starts(with: Self.accepted) { self.failed += 1 }
            self.times.append(now() - self.connections[index].due)
            self.connections[index].received.removeAll(keepingCapacity: true)
            self.idle.append(index)
            answered += 1
        }
        return answered
    }

    private static func bit(of descriptor: Int32, in set: inout fd_set) -> Bool {
        withUnsafeBytes(of: &set) { $0[Int(descriptor) / 8] & 1 << UInt8(descriptor % 8) != 0 }
    }

    private static func toggle(_ descriptor: Int32, in set: inout fd_set) {
        withUnsafeMutableBytes(of: &set) { $0[Int(descriptor) / 8] ^= 1 << UInt8(descriptor % 8) }
    }

    /// Whether an answer with the small body is all there. Its end is the empty line and as many bytes as the body has.
    private static func isComplete(_ bytes: [UInt8]) -> Bool {
        let end = bytes.count - Self.bodySize
        return end >= 4 && bytes[end - 4] == 13 && bytes[end - 3] == 10 && bytes[end - 2] == 13 && bytes[end - 1] == 10
    }
}
