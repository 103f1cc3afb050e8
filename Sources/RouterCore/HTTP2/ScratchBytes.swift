/// Memory for bytes that are being put together, kept from one message to the next.
///
/// It is what a `ByteBuffer` would be without reference counts and without the question who else reads it; what has
/// been put together is copied out once.
struct ScratchBytes: ~Copyable {
    private(set) var base: UnsafeMutableRawPointer
    private(set) var capacity: Int
    var count = 0

    init() {
        self.base = .allocate(byteCount: 0, alignment: 8)
        self.capacity = 0
    }

    deinit { self.base.deallocate() }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: self.base, count: self.count) }

    /// Makes room; pointers into these bytes are invalid afterwards.
    @inline(__always)
    mutating func reserve(_ additional: Int) {
        if self.capacity &- self.count < additional { self.grow(additional) }
    }

    @inline(never)
    private mutating func grow(_ additional: Int) {
        let capacity = max(self.capacity * 2, self.count + additional, 512)
        let base = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 8)
        base.copyMemory(from: self.base, byteCount: self.count)
        self.base.deallocate()
        self.base = base
        self.capacity = capacity
    }

    @inline(__always)
    mutating func append(_ bytes: UnsafeRawPointer, _ length: Int) {
        self.reserve(length)
        (self.base + self.count).copyMemory(from: bytes, byteCount: length)
        self.count &+= length
    }

    @inline(__always)
    mutating func append(_ byte: UInt8) {
        self.reserve(1)
        self.base.storeBytes(of: byte, toByteOffset: self.count, as: UInt8.self)
        self.count &+= 1
    }

    @inline(__always)
    mutating func append(_ text: StaticString) {
        self.append(UnsafeRawPointer(text.utf8Start), text.utf8CodeUnitCount)
    }

    /// Copies a range of these bytes to their end.
    @inline(__always)
    mutating func append(_ range: ByteRange) {
        self.reserve(range.count)
        (self.base + self.count).copyMemory(from: self.base + Int(range.lower), byteCount: range.count)
        self.count &+= range.count
    }

    /// Forgets the bytes, and the memory as well when one unusual message made it large.
    @inline(__always)
    mutating func clear() {
        self.count = 0
        if self.capacity > 8192 { self.release() }
    }

    @inline(never)
    private mutating func release() {
        self.base.deallocate()
        self.base = .allocate(byteCount: 0, alignment: 8)
        self.capacity = 0
    }
}
