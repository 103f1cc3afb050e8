import ProcessSupervisorTesting
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import ProcessSupervisor

@Suite struct OutputMeterTests {
    static let policy = OutputPolicy(bytesPerSecond: 1000, burstBytes: 5000)

    @Test func `lets a burst pass, and then so many bytes a second`() {
        var meter = OutputMeter(policy: Self.policy)
        let waits = [
            meter.read(5000, now: .zero), meter.read(500, now: .zero), meter.read(500, now: .milliseconds(500)),
            meter.read(500, now: .seconds(2)), meter.read(5000, now: .seconds(1000)),
            meter.read(1, now: .seconds(1000)),
        ]
        #expect(
            waits == [nil, .milliseconds(500), .milliseconds(500), nil, nil, .milliseconds(1)])
    }

    @Test func `what is dropped is not paid for, and a clock that goes back gives nothing`() {
        var meter = OutputMeter(policy: Self.policy)
        let first = meter.read(6000, now: .seconds(9))
        meter.forgive(6000)
        let second = meter.read(5000, now: .seconds(1))
        let third = meter.read(1, now: .zero)
        #expect(first == .seconds(1))
        #expect(second == nil)
        #expect(third == .milliseconds(1))
    }
}

/// Instances that write too much, too long lines, or what is no text.
@Suite(.timeLimit(.minutes(1))) struct OutputTests {
    /// Counts, where keeping would take too much.
    final class Counter: OutputHandler {
        struct Count { var lines = 0, bytes = 0, longest = 0, ends = 0 }
        private let counts = Mutex<[InstanceID: Count]>([:])
        func receive(_ lines: [OutputLine], from id: InstanceID, labels: [String: String]) {
            self.counts.withLock { counts in
                for line in lines {
                    counts[id, default: Count()].lines += 1
                    counts[id, default: Count()].bytes += line.text.utf8.count
                    counts[id, default: Count()].longest = max(
                        counts[id, default: Count()].longest, line.text.utf8.count)
                    if !line.isPartial { counts[id, default: Count()].ends += 1 }
                }
            }
        }
        subscript(_ id: InstanceID) -> Count { self.counts.withLock { $0[id] ?? Count() } }
    }

    static func flood(_ id: InstanceID, in directory: FilePath, _ excess: OutputPolicy.Excess) -> InstanceSpec {
        var spec = InstanceSpec.shell(id, "exec yes 1234567", in: directory)
        spec.output = OutputPolicy(bytesPerSecond: 65536, burstBytes: 65536, excess: excess)
        return spec
    }

    @Test func `who floods waits, and the others are heard meanwhile`() async throws {
        try await withTemporaryDirectory { directory in
            let output = RecordingOutputHandler()
            let clock = ManualClock()
            // The clock stands still, so that whoever has spent his burst is not read any more.
            try await withSupervisor(in: directory, output: output, clock: clock) { supervisor in
                for number in 0..<3 {
                    _ = try await supervisor.start(Self.flood(InstanceID("flood.\(number)"), in: directory, .wait))
                }
                _ = try await supervisor.start(
                    .shell(
                        "quiet", "i=0; while test $i -lt 500; do echo $i; i=$((i + 1)); done; exec sleep 1000",
                        in: directory))
                let lines = await output.lines(of: "quiet") { $0.count == 500 }
                #expect(lines == (0..<500).map(String.init))
                await clock.sleepers(atLeast: 3)
                for number in 0..<3 {
                    let bytes = output.texts(of: InstanceID("flood.\(number)")).count * 8
                    // One read beyond the burst, at most.
                    #expect((1...131_072).contains(bytes), "\(bytes) bytes were read")
                }
                let before = output.texts(of: "flood.0").count
                clock.advance(by: .seconds(2))
                await output.lines(of: "flood.0") { $0.count > before }
            }
        }
    }

    @Test func `who floods is dropped and counted, if so configured, and never waits`() async throws {
        try await withTemporaryDirectory { directory in
            let output = Counter()
            let clock = ManualClock()
            try await withSupervisor(in: directory, output: output, clock: clock) { supervisor in
                let events = supervisor.events()
                // Far more than the FIFO takes: it comes to its end although nobody reads so fast.
                var spec = Self.flood("a", in: directory, .drop)
                spec.process.arguments = ["sh", "-c", "yes 1234567 | head -c 8000000"]
                _ = try await supervisor.start(spec)
                var dropped = (lines: 0, bytes: 0)
                for await event in events {
                    if case .outputDropped(let lines, let bytes) = event.kind {
                        dropped = (dropped.lines + lines, dropped.bytes + bytes)
                        #expect(event.cause == .outputRate)
                    }
                    if case .exited = event.kind { break }
                }
                #expect(output["a"].lines + dropped.lines == 1_000_000)
                #expect(output["a"].lines <= 2 * 65536 / 8)
                #expect(dropped.bytes >= 8_000_000 - 2 * 65536)
                #expect(supervisor.status(of: "a")?.droppedLines == dropped.lines)
            }
        }
    }

    @Test func `a line of a gigabyte comes in pieces`() async throws {
        try await withTemporaryDirectory { directory in
            let output = Counter()
            try await withSupervisor(in: directory, output: output) { supervisor in
                let events = supervisor.events()
                var spec = InstanceSpec.shell("a", "head -c 1073741824 /dev/zero; echo; printf end", in: directory)
                spec.output = OutputPolicy(bytesPerSecond: 1 << 30, burstBytes: 1 << 30)
                _ = try await supervisor.start(spec)
                _ = await first(events) { if case .exited = $0 { true } else { false } }
                let count = output["a"]
                #expect(count.bytes == 1_073_741_824 + 3)
                #expect(count.longest == 10_000)
                #expect(count.ends == 2)
            }
        }
    }

    @Test func `what is no text, and has no end, comes out repaired`() async throws {
        try await withTemporaryDirectory { directory in
            let output = RecordingOutputHandler()
            // The clock stands still: no end of a line is slow to come.
            try await withSupervisor(in: directory, output: output, clock: ManualClock()) { supervisor in
                let events = supervisor.events()
                _ = try await supervisor.start(
                    .shell("a", #"printf 'a\000b\n\377\376x\n\303'; printf 'err' >&2; exit 0"#, in: directory))
                _ = await first(events) { if case .exited = $0 { true } else { false } }
                #expect(output.texts(of: "a") == ["a\0b", "\u{fffd}\u{fffd}x", "\u{fffd}err"])
                #expect(!output.lines(of: "a").contains { $0.isPartial })
            }
        }
    }
}
