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

    /// A copy of an object's bytes.
    func buffer(of oid: ObjectID, limit: Int) throws(GitReceiverError) -> (kind: ObjectKind, data: ObjectBuffer) {
        guard let (kind, size) = try self.header(of: oid) else {
            throw GitReceiverError(.notFound, "object \(oid) is missing")
        }
        guard size <= limit else { throw .objectTooLarge(size, limit: limit) }
        let data = try ObjectBuffer(count: size)
        try self.withObject(oid) { _, bytes throws(GitReceiverError) in
            guard bytes.count == size else { throw GitReceiverError(.corrupt, "object \(oid) is damaged") }
            if let start = bytes.baseAddress { data.pointer.copyMemory(from: start, byteCount: size) }
        }
        return (kind, data)
    }
}
