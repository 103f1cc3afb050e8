import Foundation
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A network namespace that is like a machine of its own, in which everything may be set.
enum OtherMachine {
    private static let newNetwork: Int32 = 0x4000_0000  // CLONE_NEWNET

    /// Runs `body` in a new one, on a thread that ends with it, and belongs to no test: what is expected is for the caller to say.
    static func run<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<R, any Error>) in
            Thread.detachNewThread {
                continuation.resume(
                    with: Result {
                        let unshare = try #require(Self.function("unshare", (@convention(c) (Int32) -> Int32).self))
                        try #require(unshare(Self.newNetwork) == 0)
                        try Self.stayOnOneProcessor()
                        return try body()
                    })
            }
        }
    }

    /// Has the thread go into another network namespace. Returns 0 on success.
    static func enter(_ namespace: Int32) -> Int32 {
        Self.function("setns", (@convention(c) (Int32, Int32) -> Int32).self)?(namespace, Self.newNetwork) ?? -1
    }

    /// What one sends before the other is there before the other: one processor has one queue.
    private static func stayOnOneProcessor() throws {
        typealias Affinity = @convention(c) (Int32, Int, UnsafeMutableRawPointer) -> Int32
        let ask = try #require(Self.function("sched_getaffinity", Affinity.self))
        let set = try #require(Self.function("sched_setaffinity", Affinity.self))
        var processors = [UInt8](repeating: 0, count: 128)
        try #require(ask(0, processors.count, &processors) == 0)
        let first = try #require(processors.firstIndex { $0 != 0 })
        let bit = processors[first] & (~processors[first] &+ 1)
        processors = processors.indices.map { $0 == first ? bit : 0 }
        try #require(set(0, processors.count, &processors) == 0)
    }

    /// A function of the C library's that its headers show to GNU programs alone.
    private static func function<F>(_ name: String, _ type: F.Type) -> F? {
        dlsym(dlopen(nil, RTLD_NOW), name).map { unsafeBitCast($0, to: type) }
    }
}

/// `socket(2)`, where a type has a method of that name.
func systemSocket(_ domain: Int32, _ type: Int32, _ number: Int32) -> Int32 { socket(domain, type, number) }
