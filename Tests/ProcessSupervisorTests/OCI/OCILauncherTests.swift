import ProcessSupervisorTesting
import SystemPackage
import TestSupport
import Testing

@testable import ProcessSupervisor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

@Suite(
    .serialized, .timeLimit(.minutes(1)),
    .enabled("no runc makes containers here (package runc)") { await TestContainers.areUsable })
struct OCILauncherTests {
    private func request(_ startID: String, _ arguments: [String], in directory: FilePath = "/") -> LaunchRequest {
        LaunchRequest(
            id: "test", startID: startID,
            process: ProcessSpec(
                arguments: arguments,
                environment: ["PATH": "/usr/bin:/bin", LaunchRequest.markerVariable: startID],
                workingDirectory: directory.string),
            output: .discard)
    }

    @Test(arguments: LayerTests.users)
    func `programs work as they are used to`(user: UserSpec?) async throws {
        try await TestContainers.with { try await SandboxTests.checkUsualPrograms(runtime: $0, user: user) }
    }

    @Test(arguments: LayerTests.users)
    func `a tree can be changed in every way, and stays as it was`(user: UserSpec?) async throws {
        try await TestContainers.with { runtime in
            let found = try await SandboxTests.output(
                of: LayerTests.changes, runtime: runtime, user: user, prepare: LayerTests.prepare,
                afterwards: LayerTests.expectUnchanged)
            #expect(found == LayerTests.changed)
        }
    }

    @Test func `of a container nothing is left after a sweep`() async throws {
        try await TestContainers.with { runtime in
            let launcher = try OCILauncher(runtime: runtime)
            let launched = try await launcher.launch(self.request("first", ["true"]))
            #expect(await launched.handle.waitForExit() == .exited(0))
            #expect(TestContainers.startIDs(runtime) == ["first"])
            launched.handle.release()
            await launcher.sweep()
            #expect(TestContainers.startIDs(runtime) == [])
            #expect(GroupFiles.directories(in: runtime.directory.appending("state").string) == [])
        }
    }

    @Test func `nothing is left of a container in which nothing could be started`() async throws {
        try await TestContainers.with { runtime in
            let launcher = try OCILauncher(runtime: runtime)
            await #expect(throws: SupervisorError.self) {
                try await launcher.launch(self.request("first", ["/no/such/program"]))
            }
            #expect(TestContainers.startIDs(runtime) == [])
        }
    }

    @Test func `an instance of a host without rights is its user, and cannot be another`() async throws {
        try await TestContainers.with { runtime in
            let found = try await SandboxTests.output(
                of: "id -u; touch /tmp/file; stat -c %u /tmp/file", runtime: runtime)
            #expect(found == ["\(getuid())", "\(getuid())"])
            guard getuid() != 0 else { return }
            var request = self.request("first", ["true"])
            request.process.user = UserSpec(uid: 65501, gid: 65501)
            let error = await #expect(throws: SupervisorError.self) {
                try await OCILauncher(runtime: runtime).launch(request)
            }
            #expect(error?.message.contains("as user 65501") == true, "\(String(describing: error))")
            #expect(TestContainers.startIDs(runtime) == [])
        }
    }

    @Test func `what another host has left is ended, and what is known is not`() async throws {
        try await TestContainers.with { runtime in
            let launcher = try OCILauncher(runtime: runtime)
            let known = try await launcher.launch(self.request("known", ["sleep", "1000"]))
            let unknown = try await launcher.launch(self.request("unknown", ["sleep", "1000"]))
            let next = try OCILauncher(runtime: runtime)
            async let end: Void = next.endLeftovers(except: ["known"])
            #expect(await unknown.handle.waitForExit() == .signalled(9))
            // Nobody would have to, had the host died: a container ends when all in it have been waited for.
            unknown.handle.release()
            await end
            #expect(TestContainers.startIDs(runtime) == ["known"])
            #expect(isAlive(known.pid))
            await known.handle.killTree()
            known.handle.release()
        }
    }

    @Test func `why the runtime could not make a container is told, and nothing is left`() async throws {
        try await TestContainers.with { runtime in
            let policy = SandboxPolicy(binds: [.init("/no/such/directory")])
            let launcher = try OCILauncher(runtime: runtime, policy: policy)
            let error = await #expect(throws: SupervisorError.self) {
                try await launcher.launch(self.request("first", ["true"]))
            }
            #expect(error?.code == .launchFailed)
            #expect(error?.message.contains("/no/such/directory") == true, "\(String(describing: error))")
            #expect(TestContainers.startIDs(runtime) == [])
        }
    }

    @Test func `a runtime that is not there is told`() async throws {
        try await withTemporaryDirectory { directory in
            let launcher = try OCILauncher(runtime: OCIRuntime("no-such-runtime", directory: directory))
            let error = await #expect(throws: SupervisorError.self) {
                try await launcher.launch(self.request("first", ["true"]))
            }
            #expect(error?.message.contains("no-such-runtime") == true, "\(String(describing: error))")
        }
    }

    @Test func `a runtime that does not answer is ended, and what it was to do has failed`() async throws {
        try await withTemporaryDirectory { directory in
            let program = directory.appending("runtime")
            let file = try FileDescriptor.open(
                program, .writeOnly, options: .create, permissions: [.ownerReadWriteExecute])
            try file.closeAfter { _ = try file.writeAll("#!/bin/sh\nexec sleep 1000\n".utf8) }
            let runtime = OCIRuntime(program.string, directory: directory.appending("containers"), timeout: .seconds(1))
            // Time goes as the test wants: at once.
            let launcher = try OCILauncher(runtime: runtime, clock: ImpatientClock())
            let error = await #expect(throws: SupervisorError.self) {
                try await launcher.launch(self.request("first", ["true"]))
            }
            #expect(error?.message.contains("has not ended within") == true, "\(String(describing: error))")
        }
    }

    @Test(arguments: [
        OCIRuntime("", directory: "/srv"), OCIRuntime(directory: "relative"), OCIRuntime(directory: "/srv/../etc"),
        OCIRuntime(directory: "/srv", timeout: .zero), OCIRuntime(directory: "/srv", timeout: .seconds(3601)),
    ])
    func `a description that makes no sense is refused`(runtime: OCIRuntime) {
        #expect(throws: SupervisorError.self) { try OCILauncher(runtime: runtime) }
    }
}

/// A clock on which every time has come.
private struct ImpatientClock: Clock {
    var now: ContinuousClock.Instant { ContinuousClock().now }
    var minimumResolution: Duration { .zero }
    func sleep(until deadline: ContinuousClock.Instant, tolerance: Duration?) async throws {}
}
