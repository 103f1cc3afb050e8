#if canImport(Darwin)
    internal import Darwin
#elseif canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Several copies of one thing, so that threads need not share a cache line.
///
/// Two event loops that count into one cell pay for the cache line's travel (38 ns instead of 4.5 ns, measured); a stripe
/// per thread avoids it. Threads that happen to share a stripe are slower, never wrong: a stripe is atomic or locked.
///
/// Stripes lie in memory of their own and are borrowed in place, because the reference count of a shared object would be
/// just the shared cache line that they exist to avoid.
struct Stripes<Stripe: ~Copyable & Sendable>: ~Copyable, @unchecked Sendable {
    // Sendable: the memory is written in `init` and freed in `deinit` only, and what lies in it is Sendable.
    private let stripes: UnsafeMutablePointer<Stripe>
    private let mask: Int

    /// Makes `count` stripes, rounded up to a power of two within 1...64.
    init(count: Int, _ make: () -> Stripe) {
        var rounded = 1
        while rounded < count, rounded < 64 { rounded *= 2 }
        self.mask = rounded - 1
        self.stripes = .allocate(capacity: rounded)
        for index in 0..<rounded { (self.stripes + index).initialize(to: make()) }
    }

    deinit {
        self.stripes.deinitialize(count: self.mask + 1)
        self.stripes.deallocate()
    }

    /// The calling thread's stripe. The thread's identifier costs neither a system call nor thread-local storage.
    @inline(__always)
    borrowing func withCurrent<R>(_ body: (borrowing Stripe) -> R) -> R {
        // glibc spaces threads by their stack size; Fibonacci hashing spreads such progressions evenly.
        let identity = UInt64(truncatingIfNeeded: Int(bitPattern: pthread_self())) >> 12
        let index = Int(truncatingIfNeeded: (identity &* 0x9E37_79B9_7F4A_7C15) >> 48) & self.mask
        return body(self.stripes[index])
    }

    /// One stripe after the other.
    borrowing func forEach(_ body: (borrowing Stripe) -> Void) {
        for index in 0...self.mask { body(self.stripes[index]) }
    }
}
