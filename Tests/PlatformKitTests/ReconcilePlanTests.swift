import Testing

@testable import PlatformKit

@Suite struct ReconcilePlanTests {
    @Test func `starts every place of the live release that nothing stands in`() {
        let plan = ReconcilePlan(desired: DesiredState(live: target(1, "web.1", "web.2", "worker.1")), observed: [])
        #expect(plan.starts.map(\.slot.description) == ["web.1", "web.2", "worker.1"])
        #expect(plan.routed.isEmpty)
        #expect(plan.retired.isEmpty)
    }

    @Test func `routes to what is ready and web, and to nothing else`() {
        let observed = [
            instance("a", "web.1", release: 1), instance("b", "web.2", release: 1, phase: .starting),
            instance("c", "worker.1", release: 1),
        ]
        let plan = ReconcilePlan(
            desired: DesiredState(live: target(1, "web.1", "web.2", "worker.1")), observed: observed)
        #expect(plan == expected(routed: ["a"]))
    }

    @Test func `keeps the live release serving while a candidate starts`() {
        let desired = DesiredState(live: target(1, "web.1"), candidate: target(2, "web.1"))
        let plan = ReconcilePlan(desired: desired, observed: [instance("old", "web.1", release: 1)])
        #expect(plan.starts == [.init(release: 2, slot: slot("web.1"))])
        #expect(plan.routed == ["old"])
        #expect(plan.retired.isEmpty)
    }

    @Test func `never routes to a candidate, however ready it is`() {
        let desired = DesiredState(live: target(1, "web.1"), candidate: target(2, "web.1"))
        let observed = [instance("old", "web.1", release: 1), instance("new", "web.1", release: 2, serial: 2)]
        #expect(ReconcilePlan(desired: desired, observed: observed) == expected(routed: ["old"]))
    }

    @Test func `switches in one step when the candidate becomes the live one`() {
        let observed = [instance("old", "web.1", release: 1), instance("new", "web.1", release: 2, serial: 2)]
        let plan = ReconcilePlan(desired: DesiredState(live: target(2, "web.1")), observed: observed)
        #expect(plan == expected(routed: ["new"], retired: ["old"]))
    }

    @Test func `lets a process type go that the release does not have any more`() {
        let observed = [instance("w", "web.1", release: 2), instance("k", "worker.1", release: 1)]
        let plan = ReconcilePlan(desired: DesiredState(live: target(2, "web.1")), observed: observed)
        #expect(plan == expected(routed: ["w"], retired: ["k"]))
    }

    @Test func `keeps an old instance serving until its replacement is ready`() {
        let desired = DesiredState(live: target(1, "web.1"), replacing: [slot("web.1")])
        let old = instance("old", "web.1", release: 1)
        let starting = instance("new", "web.1", release: 1, serial: 2, phase: .starting)
        let ready = instance("new", "web.1", release: 1, serial: 2)
        #expect(ReconcilePlan(desired: desired, observed: [old, starting]) == expected(routed: ["old"]))
        #expect(ReconcilePlan(desired: desired, observed: [old, ready]) == expected(routed: ["new"], retired: ["old"]))
    }

    @Test func `lets go of a replacement that a crash of the host left half done`() {
        let observed = [
            instance("old", "web.1", release: 1), instance("new", "web.1", release: 1, serial: 2, phase: .backingOff),
        ]
        let plan = ReconcilePlan(desired: DesiredState(live: target(1, "web.1")), observed: observed)
        #expect(plan == expected(routed: ["old"], retired: ["new"]))
    }

    @Test(arguments: [WorkloadInstance.Phase.starting, .ready, .unready, .backingOff, .stopping])
    func `starts nothing beside an instance of another user, and lets that go`(phase: WorkloadInstance.Phase) {
        let desired = DesiredState(
            live: target(1, "web.1", "worker.1"), candidate: target(2, "web.1"), user: 70_001)
        let other = instance("old", "worker.1", release: 1, phase: phase, user: 70_000)
        let own = instance("own", "web.1", release: 1, user: 70_001)
        let retired = phase == .stopping ? [] : ["old"]
        #expect(ReconcilePlan(desired: desired, observed: [other]) == expected(retired: retired, isServed: true))
        #expect(ReconcilePlan(desired: desired, observed: [other, own]) == expected(routed: ["own"], retired: retired))
    }

    @Test func `an instance of another user that is over keeps nobody waiting`() {
        let desired = DesiredState(live: target(1, "worker.1"), user: 70_001)
        let plan = ReconcilePlan(
            desired: desired, observed: [instance("old", "worker.1", release: 1, phase: .failed, user: 70_000)])
        #expect(plan.starts == [.init(release: 1, slot: slot("worker.1"))])
        #expect(plan.retired == ["old"])
    }

    @Test func `does not start again what its supervisor starts again itself`() {
        let observed = [instance("a", "web.1", release: 1, phase: .backingOff)]
        let plan = ReconcilePlan(desired: DesiredState(live: target(1, "web.1")), observed: observed)
        #expect(plan == expected(isServed: true))
    }

    @Test(arguments: [
        (["web.1"], WorkloadInstance.Phase.starting, true), (["web.1"], .unready, true), (["web.1"], .failed, false),
        (["web.1", "web.2"], .failed, true), (["worker.1"], .ready, false), ([], .ready, false),
    ])
    func `is served when an instance for requests is there or may come`(
        slots: [String], phase: WorkloadInstance.Phase, expected: Bool
    ) {
        let wanted = Target(release: 1, slots: Set(slots.map(slot)))
        let observed = slots.first.map { [instance("a", $0, release: 1, phase: phase)] } ?? []
        #expect(ReconcilePlan(desired: DesiredState(live: wanted), observed: observed).isServed == expected)
    }

    @Test func `leaves alone what is stopping already, and fills its place`() {
        let observed = [instance("a", "web.1", release: 1, phase: .stopping)]
        let plan = ReconcilePlan(desired: DesiredState(live: target(1, "web.1")), observed: observed)
        #expect(plan.starts.count == 1)
        #expect(plan.retired.isEmpty)
    }

    @Test func `ends everything when nothing is wanted`() {
        let observed = [instance("a", "web.1", release: 1), instance("b", "web.2", release: 1, phase: .failed)]
        #expect(ReconcilePlan(desired: DesiredState(), observed: observed) == expected(retired: ["a", "b"]))
    }

    @Test func `a singleton stays the live release's until it yields, and starts when nothing of it is left`() {
        var desired = DesiredState(live: target(1, "web.1", "clock.1"), candidate: target(2, "web.1", "clock.1"))
        desired.candidate?.singletons = ["clock"]
        let web = [instance("a", "web.1", release: 1), instance("b", "web.1", release: 2, serial: 2)]
        let old = instance("old", "clock.1", release: 1)
        #expect(ReconcilePlan(desired: desired, observed: web + [old]) == expected(routed: ["a"]))
        desired.yielding = ["clock"]
        #expect(ReconcilePlan(desired: desired, observed: web + [old]) == expected(routed: ["a"], retired: ["old"]))
        let ending = instance("old", "clock.1", release: 1, phase: .stopping)
        #expect(ReconcilePlan(desired: desired, observed: web + [ending]) == expected(routed: ["a"]))
        #expect(
            ReconcilePlan(desired: desired, observed: web).starts == [.init(release: 2, slot: slot("clock.1"))])
    }

    @Test(arguments: [WorkloadInstance.Phase.stopping, .stopped], [1, 2])
    func `a singleton is not started beside one that is on its way out`(
        phase: WorkloadInstance.Phase, release: Int
    ) {
        var desired = DesiredState(live: target(1, "clock.1"))
        desired.live?.singletons = ["clock"]
        let observed = [instance("a", "clock.1", release: release, phase: phase)]
        #expect(ReconcilePlan(desired: desired, observed: observed).starts.isEmpty)
        #expect(ReconcilePlan(desired: desired, observed: []).starts.count == 1)
    }

    // MARK: Words of these tests

    private func slot(_ name: String) -> Slot {
        let parts = name.split(separator: ".")
        return Slot(processType: String(parts[0]), number: Int(parts[1])!)
    }

    private func target(_ release: Int, _ slots: String...) -> Target {
        Target(release: release, slots: Set(slots.map(self.slot)))
    }

    private func instance(
        _ id: String, _ name: String, release: Int, serial: Int = 1, phase: WorkloadInstance.Phase = .ready,
        user: UInt32? = nil
    ) -> WorkloadInstance {
        let slot = self.slot(name)
        return WorkloadInstance(
            id: id, applicationID: "app", processType: slot.processType, number: slot.number, release: release,
            serial: serial, phase: phase, pid: 1, port: nil, startedAt: nil, restarts: 0, lastExit: nil, lastProbe: nil,
            user: user)
    }

    private func expected(
        routed: [String] = [], retired: [String] = [], isServed: Bool? = nil
    ) -> ReconcilePlan {
        var plan = ReconcilePlan(desired: DesiredState(), observed: [])
        plan.isServed = isServed ?? !routed.isEmpty
        plan.routed = routed
        plan.retired = retired
        return plan
    }
}
