#if os(Linux)
    import Foundation
    import Synchronization
    import SystemPackage

    /// The built `router-example` in a process of its own.
    final class RouterProcess: Sendable {
        private struct State {
            var text = ""
            var hasEnded = false
            var waiters: [(condition: @Sendable (State) -> Bool, continuation: CheckedContinuation<Void, Never>)] = []
        }
        private final class Shared: Sendable {
            let state = Mutex(State())

            func update(_ change: (inout State) -> Void) {
                let due = self.state.withLock { state in
                    change(&state)
                    let current = state
                    state.waiters.removeAll { $0.condition(current) }
                    return current.waiters.filter { $0.condition(current) }
                }
                for waiter in due { waiter.continuation.resume() }
            }
        }

        private let shared = Shared()
        private let process = Process()

        init(_ arguments: [String]) throws {
            let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
            let program = FilePath(own).removingLastComponent().appending("router-example")
            self.process.executableURL = URL(fileURLWithPath: program.string)
            self.process.arguments = arguments
            let output = Foundation.Pipe()
            self.process.standardOutput = output
            self.process.standardError = output
            try self.process.run()
            let (shared, process) = (self.shared, self.process)
            Thread.detachNewThread {
                while case let data = output.fileHandleForReading.availableData, !data.isEmpty {
                    shared.update { $0.text += String(decoding: data, as: UTF8.self) }
                }
                process.waitUntilExit()
                shared.update { $0.hasEnded = true }
            }
        }

        /// What it has said so far.
        var text: String { self.shared.state.withLock { $0.text } }

        private func wait(_ condition: @escaping @Sendable (State) -> Bool) async {
            await withCheckedContinuation { continuation in
                self.shared.update { $0.waiters.append((condition, continuation)) }
            }
        }

        /// Returns once it has logged this, or has ended.
        func said(_ message: String) async -> Bool {
            await self.wait { $0.hasEnded || $0.text.contains(message) }
            return self.text.contains(message)
        }

        /// Returns its exit status once it has ended by itself.
        func ended() async -> Int32 {
            await self.wait { $0.hasEnded }
            return self.process.terminationReason == .exit ? self.process.terminationStatus : -1
        }

        func kill() async {
            Foundation.kill(self.process.processIdentifier, SIGKILL)
            await self.wait { $0.hasEnded }
        }
    }
#endif
