import ProcessSupervisorTesting
import SystemPackage
import TestSupport
import Testing

@testable import ProcessSupervisor

@Suite struct RestartPacerTests {
    @Test func `leaves a few as they are`() {
        var pacer = RestartPacer(perSecond: 3)
        let waits = [0.2, 0.9, 0.5, 7.25].map { pacer.delay(.seconds($0), now: .seconds(100)) }
        #expect(waits == [.seconds(0.2), .seconds(0.9), .seconds(0.5), .seconds(7.25)])
    }

    @Test func `lets no second have more than its number, and none stay empty`() {
        var pacer = RestartPacer(perSecond: 20)
        var random = SplitMix(state: 5)
        var due: [Int64: Int] = [:]
        for _ in 0..<1000 {
            let wanted = Duration.seconds(1) * Double.random(in: 0..<1, using: &random)
            let wait = pacer.delay(wanted, now: .seconds(40))
            #expect(wait >= wanted)
            due[(wait + .seconds(40)).components.seconds, default: 0] += 1
        }
        #expect(due.keys.sorted() == Array(40..<90))
        #expect(due.values.allSatisfy { $0 == 20 })
    }

    @Test func `forgets the past`() {
        var pacer = RestartPacer(perSecond: 1)
        for second in 0..<10_000 {
            #expect(pacer.delay(.zero, now: .seconds(second)) == .zero)
        }
        #expect(pacer.due.count == 1)
    }

    @Test func `holds for all instances of a supervisor`() async throws {
        try await withTemporaryDirectory { directory in
            let launcher = ScriptedLauncher { _, _ in .exits(.exited(1)) }
            // The clock stands still: what was put off stays so.
            try await withSupervisor(
                in: directory, launcher: launcher, clock: ManualClock(), configure: { $0.restartsPerSecond = 5 }
            ) { supervisor in
                let events = supervisor.events()
                for number in 0..<40 {
                    _ = try await supervisor.start(
                        InstanceSpec(
                            id: InstanceID("a.\(number)"),
                            process: ProcessSpec(arguments: ["x"], workingDirectory: "/"),
                            restart: .always(backoff: BackoffPolicy(initial: .milliseconds(1)))))
                }
                var due: [Int64: Int] = [:]
                for await event in events {
                    guard case .exited(_, let wait?) = event.kind else { continue }
                    due[wait.components.seconds, default: 0] += 1
                    if due.values.reduce(0, +) == 40 { break }
                }
                #expect(due.keys.sorted() == Array(0..<8))
                #expect(due.values.allSatisfy { $0 == 5 })
            }
        }
    }
}
