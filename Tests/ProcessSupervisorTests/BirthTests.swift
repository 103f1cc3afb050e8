import CProcessLauncher
import Foundation
import SystemPackage
import Testing

@testable import ProcessSupervisor

/// A start whose child others could get at waits for the end of a pipe that the child has until it executes.
@Suite(.timeLimit(.minutes(1))) struct BirthTests {
    /// Starts a program that does nothing, on a thread of its own. Returns 0 or an errno.
    ///
    /// - Parameter group: what the child writes a byte to before it executes.
    private static func spawn(joining group: Int32? = nil) async -> Int32 {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                let null = open("/dev/null", O_RDWR | O_CLOEXEC)
                let result = withCStrings(["/bin/true"]) { arguments in
                    withCStrings([]) { environment in
                        withCStrings(["/bin/true", "/"]) { paths in
                            [group].compactMap(\.self).withUnsafeBufferPointer { groups in
                                var options = slipway_spawn_options()
                                (options.input, options.output, options.notification) = (null, null, -1)
                                (options.path, options.directory) = (UnsafePointer(paths[0]), UnsafePointer(paths[1]))
                                (options.argv, options.envp) = (arguments, environment)
                                options.is_exposed = 1
                                options.control_groups = groups.baseAddress
                                options.control_group_count = groups.count
                                return slipway_spawn(&options)
                            }
                        }
                    }
                }
                close(null)
                if result.pidfd >= 0 {
                    var end = pollfd(fd: result.pidfd, events: Int16(POLLIN), revents: 0)
                    while poll(&end, 1, -1) < 0 {}
                    slipway_reap(result.pidfd)
                    close(result.pidfd)
                }
                continuation.resume(returning: result.error)
            }
        }
    }

    private static func spawn(_ count: Int, joining group: Int32? = nil) async -> [Int32] {
        await withTaskGroup(of: Int32.self) { tasks in
            for _ in 0..<count { tasks.addTask { await Self.spawn(joining: group) } }
            return await tasks.reduce(into: []) { $0.append($1) }
        }
    }

    @Test func `no start waits for another's child that does not come to execute`() async throws {
        for _ in 1...20 {
            let (reader, writer) = try Descriptor.pipe(nonBlocking: .writable)
            // Full: who writes to it waits, but for the moment in which it is filled.
            var bytes = [UInt8](repeating: 0, count: 4096)
            while write(writer.rawValue, bytes, bytes.count) > 0 {}
            let blocking = fcntl(writer.rawValue, F_GETFL) & ~O_NONBLOCK
            try #require(fcntl(writer.rawValue, F_SETFL, blocking) == 0)
            async let slow = Self.spawn(4, joining: writer.rawValue)
            let quick = await Self.spawn(8)
            #expect(quick.allSatisfy { $0 == 0 }, "\(quick.map { describe(errno: $0) })")
            // All of it: a writer waits for a page that is free, and one byte takes one.
            bytes = [UInt8](repeating: 0, count: 1 << 20)
            _ = try bytes.withUnsafeMutableBytes { try reader.file.read(into: $0) }
            _ = await slow
            withExtendedLifetime((reader, writer)) {}
        }
    }
}
