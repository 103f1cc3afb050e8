import CLibgit2
import SystemPackage

/// An open bare repository. Not Sendable on purpose: it is opened, used and closed within one blocking call.
///
/// Whoever reads holds a shared lock, so that maintenance knows when nobody needs a pack that was replaced.
final class Repository {
    static let readersLock = "readers.lock"

    let pointer: OpaquePointer
    private let lock: HeldLock?

    /// Opens a repository; with `quarantine`, one that also sees the objects in that directory, which nobody else does.
    ///
    /// - Parameter isAlone: whether the caller keeps all readers out already.
    init(bareAt path: FilePath, quarantine: FilePath? = nil, isAlone: Bool = false) throws(GitReceiverError) {
        self.lock = isAlone ? nil : try HeldLock(path.appending(Self.readersLock), shared: true)
        var pointer: OpaquePointer?
        try check(git_repository_open_bare(&pointer, path.string), "The repository could not be opened.")
        guard let pointer else { throw GitReceiverError(.storage, "The repository could not be opened.") }
        self.pointer = pointer
        if let quarantine {
            let database = try ObjectDatabase(at: quarantine)
            try check(
                git_odb_add_disk_alternate(database.pointer, path.appending("objects").string),
                "The objects of the push could not be read.")
            try check(
                git_repository_set_odb(pointer, database.pointer), "The objects of the push could not be read.")
        }
    }

    deinit { git_repository_free(self.pointer) }

    /// The object database; it keeps itself alive.
    func objects() throws(GitReceiverError) -> ObjectDatabase {
        var pointer: OpaquePointer?
        try check(git_repository_odb(&pointer, self.pointer), "The objects could not be read.")
        guard let pointer else { throw GitReceiverError(.storage, "The objects could not be read.") }
        return ObjectDatabase(owning: pointer)
    }

    /// Whether `ancestor` can be reached from `commit`; both have to be commits.
    func isDescendant(_ commit: ObjectID, of ancestor: ObjectID) throws(GitReceiverError) -> Bool {
        if commit == ancestor { return true }
        var (first, second) = (commit.git, ancestor.git)
        return try check(
            git_graph_descendant_of(self.pointer, &first, &second), "The history could not be read.") == 1
    }

    /// The tree of a commit, or of what an annotated tag points at.
    func rootTree(of oid: ObjectID) throws(GitReceiverError) -> ObjectID {
        try self.peel(oid, to: GIT_OBJECT_TREE)
    }

    /// What a tag points at in the end.
    func peel(_ oid: ObjectID, to type: git_object_t = GIT_OBJECT_ANY) throws(GitReceiverError) -> ObjectID {
        var (object, peeled): (OpaquePointer?, OpaquePointer?)
        var raw = oid.git
        let what = "The repository has no commit \(oid.short)."
        defer {
            git_object_free(object)
            git_object_free(peeled)
        }
        try check(git_object_lookup(&object, self.pointer, &raw, GIT_OBJECT_ANY), what)
        try check(git_object_peel(&peeled, object, type), what)
        guard let peeled, let id = git_object_id(peeled) else { throw GitReceiverError(.notFound, what) }
        return ObjectID(id.pointee)
    }
}
