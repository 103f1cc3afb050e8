public import SystemPackage

/// Named objects somewhere else: a bucket, a registry, a mounted disk.
///
/// ## Promises a conformer keeps
/// - An object is there as a whole or not at all. A write that throws or is cancelled leaves the object that was there, or,
///   if nobody can tell whether it succeeded, the new one.
/// - What was written, or deleted, is so for every reader and every list that begins afterwards, on whichever machine.
/// - Writing what is there, and deleting what is not, succeeds.
/// - All functions may be called at the same time from many tasks and machines. Nothing is conditional and nothing is locked:
///   that is left to how ``TieredSlugRepository`` names its objects.
/// - Bytes are checked by whoever reads them; a conformer need only notice when some are missing.
/// - Every function throws ``SlugStoreError/Code/cancelled`` when its task is cancelled,
///   ``SlugStoreError/Code/remoteUnavailable`` when it might succeed later, ``SlugStoreError/Code/unauthorised`` when the
///   credentials do not suffice, ``SlugStoreError/Code/remoteRefused`` and ``SlugStoreError/Code/invalidAnswer`` when trying
///   again is of no use. Retries are the conformer's business; those who call it do not repeat a call.
///
/// Run `ObjectStoreConformance` of `SlugStoreTesting` against your own.
public protocol ObjectStore: Sendable {
    /// Writes an object.
    func write(_ bytes: [UInt8], to key: ObjectKey) async throws(SlugStoreError)

    /// Writes an object from a file, which nobody changes meanwhile, without holding all of it in memory.
    func write(contentsOf file: FilePath, to key: ObjectKey) async throws(SlugStoreError)

    /// The bytes of a range of an object; fewer only where the object ends before the range does.
    /// - Parameters:
    ///   - key: The object.
    ///   - range: In bytes from the start; not negative. It is held in memory.
    /// - Throws: ``SlugStoreError/Code/notFound``, among others.
    func read(_ key: ObjectKey, range: Range<Int64>) async throws(SlugStoreError) -> [UInt8]

    /// The keys that start with `prefix`, in no order.
    /// - Throws: ``SlugStoreError/Code/limitExceeded`` rather than a part of a list.
    func list(prefix: String) async throws(SlugStoreError) -> [ObjectKey]

    /// The size of an object in bytes; `nil` if there is none.
    func size(of key: ObjectKey) async throws(SlugStoreError) -> Int64?

    /// Deletes an object, if there is one.
    func delete(_ key: ObjectKey) async throws(SlugStoreError)
}

extension ObjectStore {
    /// All bytes of an object.
    /// - Parameters:
    ///   - key: The object.
    ///   - limit: The most that it may have; ``SlugStoreError/Code/limitExceeded`` is thrown for more.
    public func read(_ key: ObjectKey, limit: Int) async throws(SlugStoreError) -> [UInt8] {
        let bytes = try await self.read(key, range: 0..<Int64(limit) + 1)
        guard bytes.count <= limit else {
            throw SlugStoreError(
                code: .limitExceeded,
                message: "The object \(key) has more than \(limit) bytes; none of its kind should.")
        }
        return bytes
    }
}
