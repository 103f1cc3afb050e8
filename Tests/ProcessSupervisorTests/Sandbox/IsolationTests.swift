import ProcessSupervisorTesting
import SystemPackage
import Testing

@testable import ProcessSupervisor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

@Suite struct IsolationTests {
    typealias Level = Isolation.Level

    @Test(arguments: [
        (Level?.none, [Level.sandbox: Isolation.Finding.works], Level.sandbox, [Level: String]()),
        (nil, [.sandbox: .fails("no namespaces")], .host, [.sandbox: "no namespaces"]),
        (nil, [:], .host, [.sandbox: "it was not tried"]),
        (.host, [.sandbox: .works], .host, [:]),
        (.host, [.sandbox: .fails("no")], .host, [:]),
        (.sandbox, [.sandbox: .works], .sandbox, [:]),
        // It is never the strongest, and not missed when it does not work.
        (nil, [.sandbox: .fails("no namespaces"), .oci: .works], .host, [.sandbox: "no namespaces"]),
        (nil, [.sandbox: .works, .oci: .works], .sandbox, [:]),
        (nil, [.sandbox: .fails("no"), .oci: .fails("no")], .host, [.sandbox: "no"]),
        (.oci, [.oci: .works], .oci, [:]),
        (nil, [.sandbox: .worksReadOnly("no overlayfs")], .sandbox, [:]),
    ])
    func `the strongest that works is chosen, or the wanted one`(
        wanted: Level?, findings: [Level: Isolation.Finding], expected: Level, unavailable: [Level: String]
    ) throws {
        let isolation = try Isolation(wanted, among: findings)
        #expect(isolation.level == expected)
        #expect(isolation.unavailable == unavailable)
    }

    @Test func `trees are as they were while a level does not work`() throws {
        func reason(_ finding: Isolation.Finding, before: String?) throws -> String? {
            try Isolation(among: [.sandbox: finding], atLeast: .sandbox, readOnlyBefore: before).readOnlyReason
        }
        #expect(try reason(.fails("no memory"), before: "no overlayfs") == "no overlayfs")
        #expect(try reason(.fails("no memory"), before: nil) == nil)
        #expect(try reason(.works, before: "no overlayfs") == nil)
    }

    @Test(.timeLimit(.minutes(1))) func `a probe that does not end does not work, and is killed`() async throws {
        let launcher = ScriptedLauncher()
        let finding = await Isolation.finding(
            ProcessSpec(arguments: ["true"], workingDirectory: "/"), launcher, within: .zero)
        guard case .fails(let reason) = finding else {
            Issue.record("\(finding)")
            return
        }
        #expect(reason.contains("has not ended within"))
        #expect(await launcher.process(1, of: "isolation-probe")?.waitForExit() == .signalled(SIGKILL))
    }

    @Test func `a wanted level that does not work is an error with its reason, and no weaker one is taken`() {
        let error = #expect(throws: SupervisorError.self) {
            try Isolation(.sandbox, among: [.sandbox: .fails("no namespaces here")])
        }
        #expect(error?.message.contains("no namespaces here") == true)
    }

    @Test(arguments: [
        (Level.sandbox, [Level.sandbox: Isolation.Finding.fails("no memory")], Level.sandbox, "no memory" as String?),
        (.sandbox, [.sandbox: .works], .sandbox, nil),
        (.host, [.sandbox: .works], .sandbox, nil),
        (.host, [.sandbox: .fails("no memory")], .host, nil),
        // What may be chosen and keeps no less away than a container.
        (.oci, [.sandbox: .fails("no memory"), .oci: .works], .sandbox, "no memory"),
    ])
    func `the strongest is never weaker than what instances had, though it does not work`(
        least: Level, findings: [Level: Isolation.Finding], expected: Level, failure: String?
    ) throws {
        let isolation = try Isolation(among: findings, atLeast: least)
        #expect(isolation.level == expected)
        #expect(isolation.failure == failure)
        #expect(failure.map(isolation.description.contains) ?? true)
        // Who asks for another by name has it.
        #expect(try Isolation(.host, among: findings, atLeast: least).level == .host)
    }

    @Test func `a wanted level that instances had is had, though it does not work`() throws {
        let isolation = try Isolation(.sandbox, among: [.sandbox: .fails("no memory")], atLeast: .sandbox)
        #expect(isolation.level == .sandbox)
        #expect(isolation.failure == "no memory")
        #expect(throws: SupervisorError.self) {
            try Isolation(.sandbox, among: [.sandbox: .fails("no memory")], atLeast: .oci)
        }
    }

    @Test func `it says that trees are read-only, and then they are`() throws {
        let isolation = try Isolation(among: [.sandbox: .worksReadOnly("no overlayfs here")])
        #expect(isolation.readOnlyReason == "no overlayfs here")
        #expect(isolation.description.hasSuffix("tree is read-only: no overlayfs here"))
        #expect(try Isolation(.host, among: [.sandbox: .worksReadOnly("no")]).readOnlyReason == nil)
    }

    @Test(.enabled(if: getuid() == 0, "only root can become another user"))
    func `a tree that no layer can be over is read-only`() async throws {
        // What is there cannot be shown as another user's.
        let findings = await Isolation.probe(tree: "/sys/kernel", user: UserSpec(uid: 65501, gid: 65501))
        guard case .worksReadOnly(let reason) = findings[.sandbox] else {
            Issue.record("\(findings)")
            return
        }
        #expect(reason.contains("/sys/kernel, with a layer over it"), "\(reason)")
    }

    @Test func `it says what was chosen, and why nothing better`() throws {
        let isolation = try Isolation(among: [.sandbox: .fails("no namespaces here")])
        #expect(isolation.description.contains("isolation: host"))
        #expect(isolation.description.hasSuffix("sandbox does not work: no namespaces here"))
    }

    @Test func `each level has its launcher`() throws {
        #expect(try Isolation(.host, among: [:]).launcher() is HostLauncher)
        #expect(try Isolation(.sandbox, among: [.sandbox: .works]).launcher() is SandboxLauncher)
        let containers = try Isolation(.oci, among: [.oci: .works])
        #expect(try containers.launcher(runtime: OCIRuntime(directory: "/srv/containers")) is OCILauncher)
        #expect(throws: SupervisorError.self) { try containers.launcher() }
    }

    @Test func `what is tried is what the policy says`() async {
        let findings = await Isolation.probe(policy: SandboxPolicy(binds: [.init("/no/such/directory")]))
        guard case .fails(let reason) = findings[.sandbox] else {
            Issue.record("it worked")
            return
        }
        #expect(reason.contains("/no/such/directory") || reason.contains("new namespaces"), "\(reason)")
    }
}
