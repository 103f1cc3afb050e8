import CLibgit2
import SystemPackage

/// The kinds of objects.
enum ObjectKind: Int32, Sendable {
    case commit = 1
    case tree, blob, tag

    var name: String {
        switch self {
        case .commit: "commit"
        case .tree: "tree"
        case .blob: "blob"
        case .tag: "tag"
        }
    }
}

/// An open object database. Like ``Repository``, for use within one blocking call.
final class ObjectDatabase {
    let pointer: OpaquePointer

    init(owning pointer: OpaquePointer) { self.pointer = pointer }

    /// Opens a directory of objects by itself, without any alternate.
    init(at path: FilePath) throws(GitReceiverError) {
        var pointer: OpaquePointer?
        try check(git_odb_open(&pointer, path.string), "The objects could not be read.")
        guard let pointer else { throw GitReceiverError(.storage, "The objects could not be read.") }
        self.pointer = pointer
    }

    deinit { git_odb_free(self.pointer) }

    /// The kind and declared size of an object, or nil if it is not there. Does not load it.
    func header(of oid: ObjectID) throws(GitReceiverError) -> (kind: ObjectKind, size: Int)? {
        var size = 0
        var type = GIT_OBJECT_INVALID
        var raw = oid.git
        let code = git_odb_read_header(&size, &type, self.pointer, &raw)
        if code == GIT_ENOTFOUND.rawValue { return nil }
        try check(code, "object \(oid) cannot be read", as: .corrupt)
        guard let kind = ObjectKind(rawValue: type.rawValue) else {
            throw GitReceiverError(.corrupt, "object \(oid) has no known type")
        }
        return (kind, size)
    }

    /// Whether an object is there, as of when the database was opened: a client names thousands that are not, and
    /// each miss would otherwise read the directory again.
    func contains(_ oid: ObjectID) -> Bool {
        var raw = oid.git
        return git_odb_exists_ext(self.pointer, &raw, GIT_ODB_LOOKUP_NO_REFRESH.rawValue) == 1
    }

    /// Loads an object.
    func withObject<R>(
        _ oid: ObjectID, _ body: (ObjectKind, UnsafeRawBufferPointer) throws(GitReceiverError) -> R
    ) throws(GitReceiverError) -> R {
        var object: OpaquePointer?
        var raw = oid.git
        try check(git_odb_read(&object, self.pointer, &raw), "object \(oid) is damaged", as: .corrupt)
        defer { git_odb_object_free(object) }
        guard let object, let kind = ObjectKind(rawValue: git_odb_object_type(object).rawValue) else {
            throw GitReceiverError(.corrupt, "object \(oid) has no known type")
        }
        let data = UnsafeRawBufferPointer(start: git_odb_object_data(object), count: git_odb_object_size(object))
        return try body(kind, data)
    }

    /// The names of all objects, at most `limit`.
    func allObjects(limit: Int) throws(GitReceiverError) -> [ObjectID] {
        final class Collector {
            var names: [ObjectID] = []
            let limit: Int
            init(limit: Int) { self.limit = limit }
        }
        let collector = Collector(limit: limit)
        let code = withExtendedLifetime(collector) {
            git_odb_foreach(
                self.pointer,
                { oid, payload in
                    guard let oid, let payload else { return -1 }
                    let collector = Unmanaged<Collector>.fromOpaque(payload).takeUnretainedValue()
                    guard collector.names.count < collector.limit else { return -1 }
                    collector.names.append(ObjectID(oid.pointee))
                    return 0
                }, Unmanaged.passUnretained(collector).toOpaque())
        }
        if code < 0, collector.names.count >= limit {
            throw GitReceiverError(.limitExceeded, "the pack has more than \(limit) objects")
        }
        try check(code, "the pack cannot be read", as: .corrupt)
        return collector.names
    }
}
