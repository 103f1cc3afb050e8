import Dispatch
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Tells work on other threads that nobody waits for its result any more.
final class Cancellation: Sendable {
    private let flag = Atomic(false)

    func cancel() { self.flag.store(true, ordering: .relaxed) }

    var isCancelled: Bool { self.flag.load(ordering: .relaxed) }

    func check() throws(SlugStoreError) {
        if self.isCancelled { throw .cancelled }
    }
}

/// Runs work that reads, hashes, compresses and waits for disks on threads of its own, because a blocked thread of the
/// cooperative pool is one that everybody else in the process is missing. A thread costs some 30 µs; an operation that is
/// worth one takes milliseconds at least.
enum BlockingWork {
    /// Runs `body` on a thread of its own and suspends until it has returned, even when the task is cancelled: `body`
    /// looks at the cancellation and cleans up.
    static func run<R: Sendable>(
        _ body: @escaping @Sendable (Cancellation) throws(SlugStoreError) -> R
    ) async throws(SlugStoreError) -> R {
        let cancellation = Cancellation()
        let result: Result<R, SlugStoreError> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let refused = self.start {
                    continuation.resume(returning: Result { () throws(SlugStoreError) in try body(cancellation) })
                }
                if let refused { continuation.resume(returning: .failure(refused)) }
            }
        } onCancel: {
            cancellation.cancel()
        }
        return try result.get()
    }

    /// Runs `body` on `count` threads, the calling one among them, and waits for all. The first error wins, and tells the
    /// other threads through `stop` to give up.
    static func parallel(
        _ count: Int, _ body: @escaping @Sendable (_ stop: Cancellation) throws(SlugStoreError) -> Void
    ) throws(SlugStoreError) {
        let stop = Cancellation()
        let failure = Mutex<SlugStoreError?>(nil)
        let work: @Sendable () -> Void = {
            do throws(SlugStoreError) {
                try body(stop)
            } catch {
                failure.withLock { $0 = $0 ?? error }
                stop.cancel()
            }
        }
        let helpers = DispatchGroup()
        for _ in 1..<max(count, 1) {
            helpers.enter()
            let refused = self.start {
                work()
                helpers.leave()
            }
            // One thread is enough to finish the work, so those that cannot be started are done without.
            if refused != nil { helpers.leave() }
        }
        work()
        helpers.wait()
        if let error = failure.withLock({ $0 }) { throw error }
    }

    private static func start(_ body: @escaping @Sendable () -> Void) -> SlugStoreError? {
        final class Box {
            let body: @Sendable () -> Void
            init(_ body: @escaping @Sendable () -> Void) { self.body = body }
        }
        let box = Unmanaged.passRetained(Box(body))
        #if canImport(Darwin)
            var thread: pthread_t?
            let status = pthread_create(
                &thread, nil,
                { argument in
                    Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body()
                    return nil
                }, box.toOpaque())
            if status == 0, let thread { pthread_detach(thread) }
        #else
            var thread = pthread_t()
            let status = pthread_create(
                &thread, nil,
                { argument in
                    if let argument { Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body() }
                    return nil
                }, box.toOpaque())
            if status == 0 { pthread_detach(thread) }
        #endif
        guard status != 0 else { return nil }
        box.release()
        errno = status
        return .systemCall("Starting a thread")
    }
}
