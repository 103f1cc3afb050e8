/// One value in memory of its own, for what a loop's objects work on all the time.
///
/// Swift checks at run time that accesses to a class's property do not overlap; for the state of an exchange, which
/// every step of a request touches, that is some per cent of a request. A pointer's value is not checked. What makes it
/// sound without: one thread; machines whose methods call nobody; and collections that are copied before what is called
/// for their elements may change them.
struct Owned<Value: ~Copyable>: ~Copyable {
    let pointer: UnsafeMutablePointer<Value>

    init(_ value: consuming Value) {
        self.pointer = .allocate(capacity: 1)
        self.pointer.initialize(to: value)
    }

    deinit {
        self.pointer.deinitialize(count: 1)
        self.pointer.deallocate()
    }

    var value: Value {
        @inline(__always) unsafeAddress { UnsafePointer(self.pointer) }
        @inline(__always) nonmutating unsafeMutableAddress { self.pointer }
    }
}
