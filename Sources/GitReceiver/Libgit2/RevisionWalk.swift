import CLibgit2

/// A walk over commits, from some, without what others have.
final class RevisionWalk {
    private let pointer: OpaquePointer
    private let repository: Repository

    init(_ repository: Repository, from: [ObjectID], hiding: [ObjectID]) throws(GitReceiverError) {
        var pointer: OpaquePointer?
        try check(git_revwalk_new(&pointer, repository.pointer), "The history could not be read.")
        guard let pointer else { throw GitReceiverError(.storage, "The history could not be read.") }
        self.pointer = pointer
        self.repository = repository
        for oid in from {
            var raw = oid.git
            try check(git_revwalk_push(pointer, &raw), "The history could not be read.")
        }
        for oid in hiding {
            var raw = oid.git
            try check(git_revwalk_hide(pointer, &raw), "The history could not be read.")
        }
    }

    deinit { git_revwalk_free(self.pointer) }

    /// The next commit, or nil at the end.
    func next() throws(GitReceiverError) -> ObjectID? {
        var oid = git_oid()
        let code = git_revwalk_next(&oid, self.pointer)
        if code == GIT_ITEROVER.rawValue { return nil }
        try check(code, "The history could not be read.")
        return ObjectID(oid)
    }
}
