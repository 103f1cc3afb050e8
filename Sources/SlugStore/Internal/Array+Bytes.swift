extension Array where Element == UInt8 {
    /// `withUnsafeBytes` that keeps the type of what is thrown.
    func withBytes<R>(
        _ body: (UnsafeRawBufferPointer) throws(SlugStoreError) -> R
    ) throws(SlugStoreError) -> R {
        try self.withUnsafeBytes { bytes in Result { () throws(SlugStoreError) in try body(bytes) } }.get()
    }

    /// `withUnsafeMutableBytes` that keeps the type of what is thrown.
    mutating func withMutableBytes<R>(
        _ body: (UnsafeMutableRawBufferPointer) throws(SlugStoreError) -> R
    ) throws(SlugStoreError) -> R {
        try self.withUnsafeMutableBytes { bytes in Result { () throws(SlugStoreError) in try body(bytes) } }.get()
    }
}
