#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A thread of its own for one long call that nobody waits for, which gives way to everything else.
///
/// Not a lane of ``BlockingPool``: the call would take the place of a push for minutes, and a thread that was made
/// nicer cannot be made ordinary again without privileges.
enum BackgroundThread {
    private final class Job: Sendable {
        let work: @Sendable () -> Void
        init(_ work: @escaping @Sendable () -> Void) { self.work = work }
    }

    /// Runs `work`; cancelling the task sets its flag, and the call returns when the work has.
    static func run<R: Sendable>(
        _ work: @escaping @Sendable (CancellationFlag) throws(GitReceiverError) -> R
    ) async throws(GitReceiverError) -> R {
        let flag = CancellationFlag()
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Result<R, GitReceiverError>, Never>) in
                let job = Job {
                    do throws(GitReceiverError) {
                        continuation.resume(returning: .success(try work(flag)))
                    } catch {
                        continuation.resume(returning: .failure(error))
                    }
                }
                if !Self.start(job) {
                    continuation.resume(returning: .failure(Files.failure("No thread could be started", EAGAIN)))
                }
            }
        } onCancel: {
            flag.set()
        }
        return try result.get()
    }

    private static func start(_ job: Job) -> Bool {
        let box = Unmanaged.passRetained(job)
        #if canImport(Darwin)
            var thread: pthread_t?
            let body: @convention(c) (UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? = { pointer in
                pthread_set_qos_class_self_np(QOS_CLASS_BACKGROUND, 0)
                Unmanaged<Job>.fromOpaque(pointer).takeRetainedValue().work()
                return nil
            }
        #else
            var thread = pthread_t()
            let body: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { pointer in
                // On Linux this is the thread's own, not the process's.
                _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
                if let pointer { Unmanaged<Job>.fromOpaque(pointer).takeRetainedValue().work() }
                return nil
            }
        #endif
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        guard pthread_create(&thread, &attributes, body, box.toOpaque()) == 0 else {
            box.release()
            return false
        }
        return true
    }
}
