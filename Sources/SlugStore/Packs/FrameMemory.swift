#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension UnsafeMutableRawBufferPointer {
    /// Memory for a frame, at least so much, to be deallocated as any other. It is not zeroed.
    ///
    /// A frame is about as large as a huge page, and comes as one where the kernel has any: five hundred faults for small pages
    /// cost more than to decompress what is then written to them.
    static func allocateFrame(byteCount: Int) -> UnsafeMutableRawBufferPointer {
        let hugePage = 2 << 20
        guard byteCount > hugePage / 2 else { return .allocate(byteCount: byteCount, alignment: 16) }
        // Of whole ones: the kernel gives none for a part of one.
        let wholeBytes = (byteCount + hugePage - 1) / hugePage * hugePage
        let memory = Self.allocate(byteCount: wholeBytes, alignment: hugePage)
        #if os(Linux)
            // A kernel without huge pages says so, and gives small ones.
            madvise(memory.baseAddress, wholeBytes, MADV_HUGEPAGE)
        #endif
        return memory
    }
}
