/// What a repository leaves of a disk for everybody else.
struct DiskReserve: Sendable {
    var bytes: Int64

    /// Refuses to write what the disk has no room for.
    /// - Parameters:
    ///   - needed: The bytes that will be written.
    ///   - descriptor: Anything on that disk.
    ///   - what: What needs them, for the message.
    func check(
        _ needed: Int64, on descriptor: Descriptor, _ what: @autoclosure () -> String
    ) throws(SlugStoreError) {
        let available = try descriptor.availableBytes("Asking what is left of the disk")
        guard available - self.bytes < needed else { return }
        throw SlugStoreError(
            code: .noSpace,
            message:
                "There is no room for \(what()): it takes \(needed) bytes, and of the \(available) that are left on the "
                + "disk, \(self.bytes) are reserved. Remove slugs that nobody needs and collect garbage, or make the disk "
                + "larger.")
    }
}
