import ProcessSupervisorTesting
import TestSupport
import Testing

@testable import ProcessSupervisor

@Suite(.serialized, .timeLimit(.minutes(1))) struct LauncherConformanceTests {
    @Test(arguments: LauncherConformance.Check.all)
    func `the host launcher keeps its promises without control groups`(check: LauncherConformance.Check) async throws {
        try await withTemporaryDirectory { directory in
            try await check.run(LauncherConformance(workspace: directory) { HostLauncher() })
        }
    }

    @Test(
        .enabled(if: TestGroups.areUsable, "this machine lets nobody make control groups"),
        arguments: LauncherConformance.Check.all)
    func `the host launcher keeps its promises with control groups`(check: LauncherConformance.Check) async throws {
        try await withTemporaryDirectory { directory in
            try await TestGroups.with { name in
                try await check.run(
                    LauncherConformance(workspace: directory) {
                        HostLauncher(groups: try ControlGroups.open(named: name))
                    })
                #expect(try ControlGroups.open(named: name).startIDs() == [], "a group is left")
            }
        }
    }

    @Test(
        .enabled("this machine lets nobody make sandboxes") { await TestSandbox.isUsable },
        arguments: LauncherConformance.Check.all)
    func `the sandbox launcher keeps its promises without control groups`(check: LauncherConformance.Check) async throws
    {
        try await withTemporaryDirectory { directory in
            try await check.run(
                LauncherConformance(workspace: directory) { try SandboxLauncher(policy: TestSandbox.policy) })
        }
    }

    @Test(
        .enabled(if: TestGroups.areUsable, "this machine lets nobody make control groups"),
        .enabled("this machine lets nobody make sandboxes") { await TestSandbox.isUsable },
        arguments: LauncherConformance.Check.all)
    func `the sandbox launcher keeps its promises with control groups`(check: LauncherConformance.Check) async throws {
        try await withTemporaryDirectory { directory in
            try await TestGroups.with { name in
                try await check.run(
                    LauncherConformance(workspace: directory) {
                        try SandboxLauncher(policy: TestSandbox.policy, groups: try ControlGroups.open(named: name))
                    })
                #expect(try ControlGroups.open(named: name).startIDs() == [], "a group is left")
            }
        }
    }

    @Test(
        .enabled("no runc makes containers here (package runc)") {
            await TestContainers.areUsable
        },
        arguments: LauncherConformance.Check.all)
    func `the OCI launcher keeps its promises without control groups`(check: LauncherConformance.Check) async throws {
        try await withTemporaryDirectory { directory in
            try await TestContainers.with { runtime in
                try await check.run(
                    LauncherConformance(workspace: directory) {
                        try OCILauncher(runtime: runtime, policy: TestSandbox.policy)
                    })
            }
        }
    }

    @Test(
        .enabled(if: TestGroups.areUsable, "this machine lets nobody make control groups"),
        .enabled("no runc makes containers here (package runc)") {
            await TestContainers.areUsable
        },
        arguments: LauncherConformance.Check.all)
    func `the OCI launcher keeps its promises with control groups`(check: LauncherConformance.Check) async throws {
        try await withTemporaryDirectory { directory in
            try await TestContainers.with { runtime in
                try await TestGroups.with { name in
                    try await check.run(
                        LauncherConformance(workspace: directory) {
                            try OCILauncher(
                                runtime: runtime, policy: TestSandbox.policy,
                                groups: try ControlGroups.open(named: name))
                        })
                    #expect(try ControlGroups.open(named: name).startIDs() == [], "a group is left")
                }
            }
        }
    }
}
