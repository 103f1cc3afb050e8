import CProcessLauncher
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The right to a state directory, held by one supervisor at a time until it is deinitialised.
///
/// A process between its birth and its execve has a copy of the lock's descriptor. So a successor of a host that was
/// killed in the middle of a start gets the lock only when that process carries its mark, or is gone.
final class StateLock: Sendable {
    private let file: Descriptor

    private init(file: Descriptor) { self.file = file }

    /// Takes the lock. Waits a moment, for a start in flight to finish; throws `stateDirectory` when it stays taken.
    static func acquire(in directory: FilePath) async throws(SupervisorError) -> StateLock {
        let path = directory.appending("lock")
        let file: Descriptor
        do {
            file = Descriptor(
                owning: try FileDescriptor.open(
                    path, .readWrite, options: [.create, .closeOnExec], permissions: .ownerReadWrite
                ).rawValue)
        } catch {
            throw SupervisorError(code: .stateDirectory, message: "cannot open \(path)", cause: error)
        }
        // Real time, not the supervisor's clock: this waits for the kernel.
        for _ in 0..<150 {
            let error = slipway_try_lock(file.rawValue)
            if error == 0 { return StateLock(file: file) }
            guard error == EWOULDBLOCK else {
                throw SupervisorError(
                    code: .stateDirectory, message: "cannot lock \(path): \(describe(errno: error))")
            }
            do { try await ContinuousClock().sleep(for: .milliseconds(20)) } catch { throw .cancelledWhileWaiting }
        }
        throw SupervisorError(
            code: .stateDirectory,
            message: "the state directory \(directory) is in use by another supervisor; stop that one first")
    }
}
