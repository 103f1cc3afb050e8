public import SlugStore
import Synchronization
public import SystemPackage

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Objects in memory, for tests; every call can be made to wait, or to fail.
public final class InMemoryObjectStore: ObjectStore, Sendable {
    /// What is asked of a store.
    public enum Call: Sendable, Hashable, CustomStringConvertible {
        /// A write of an object.
        case write(ObjectKey)
        /// A read of a range of an object.
        case read(ObjectKey, Range<Int64>)
        /// A list.
        case list(String)
        /// A question for an object's size.
        case size(ObjectKey)
        /// A deletion.
        case delete(ObjectKey)

        /// The call on one line.
        public var description: String {
            switch self {
            case .write(let key): "write \(key)"
            case .read(let key, let range): "read \(key) \(range)"
            case .list(let prefix): "list \(prefix)"
            case .size(let key): "size \(key)"
            case .delete(let key): "delete \(key)"
            }
        }
    }

    private let objects: Mutex<[ObjectKey: [UInt8]]>
    private let made = Recorder<Call>()
    private let before: @Sendable (Call) async throws(SlugStoreError) -> Void

    /// Makes an empty store.
    /// - Parameter before: Is called before each call has its effect, which it has not if this throws.
    public init(before: @escaping @Sendable (Call) async throws(SlugStoreError) -> Void = { _ in }) {
        self.objects = Mutex([:])
        self.before = before
    }

    /// All objects.
    public var content: [ObjectKey: [UInt8]] { self.objects.withLock { $0 } }
    /// All calls that have had their effect, in that order.
    public var calls: [Call] { self.made.values }

    /// Changes an object behind everybody's back; `nil` takes it away.
    public func damage(_ key: ObjectKey, _ change: @Sendable ([UInt8]) -> [UInt8]?) {
        self.objects.withLock { $0[key] = $0[key].flatMap(change) }
    }

    private func begin(_ call: Call) async throws(SlugStoreError) {
        if Task.isCancelled { throw SlugStoreError(code: .cancelled, message: "The operation was cancelled.") }
        try await self.before(call)
        self.made.append(call)
    }

    /// Writes an object.
    public func write(_ bytes: [UInt8], to key: ObjectKey) async throws(SlugStoreError) {
        try await self.begin(.write(key))
        self.objects.withLock { $0[key] = bytes }
    }

    /// Writes an object from a file.
    public func write(contentsOf file: FilePath, to key: ObjectKey) async throws(SlugStoreError) {
        guard let bytes = FileManager.default.contents(atPath: file.string) else {
            throw SlugStoreError(code: .inputOutput, message: "There is no file \(file).")
        }
        try await self.write(Array(bytes), to: key)
    }

    /// The bytes of a range of an object.
    public func read(_ key: ObjectKey, range: Range<Int64>) async throws(SlugStoreError) -> [UInt8] {
        try await self.begin(.read(key, range))
        guard let bytes = self.objects.withLock({ $0[key] }) else {
            throw SlugStoreError(code: .notFound, message: "There is no object \(key).")
        }
        let range = range.clamped(to: 0..<Int64(bytes.count))
        return Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)])
    }

    /// The keys that start with `prefix`.
    public func list(prefix: String) async throws(SlugStoreError) -> [ObjectKey] {
        try await self.begin(.list(prefix))
        return self.objects.withLock { $0.keys.filter { $0.description.hasPrefix(prefix) } }
    }

    /// The size of an object.
    public func size(of key: ObjectKey) async throws(SlugStoreError) -> Int64? {
        try await self.begin(.size(key))
        return self.objects.withLock { $0[key].map { Int64($0.count) } }
    }

    /// Deletes an object.
    public func delete(_ key: ObjectKey) async throws(SlugStoreError) {
        try await self.begin(.delete(key))
        self.objects.withLock { $0[key] = nil }
    }
}
