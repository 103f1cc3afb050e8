import CLibgit2

/// Collects what a client lacks and writes it as a pack. For use within one blocking call.
final class PackBuilder {
    private let pointer: OpaquePointer
    private let repository: Repository

    init(_ repository: Repository) throws(GitReceiverError) {
        var pointer: OpaquePointer?
        try check(git_packbuilder_new(&pointer, repository.pointer), "The pack could not be made.")
        guard let pointer else { throw GitReceiverError(.storage, "The pack could not be made.") }
        self.pointer = pointer
        self.repository = repository
    }

    deinit { git_packbuilder_free(self.pointer) }

    /// Adds the commits of a walk with what they have and the hidden ones do not.
    func insert(_ walk: RevisionWalk) throws(GitReceiverError) {
        try check(git_packbuilder_insert_walk(self.pointer, walk.pointer), "The history could not be read.")
    }

    /// Adds one object by itself.
    func insert(_ oid: ObjectID) throws(GitReceiverError) {
        var raw = oid.git
        try check(git_packbuilder_insert(self.pointer, &raw, nil), "An object could not be read.")
    }

    /// Adds a tree or blob and all below it.
    func insertAll(below oid: ObjectID) throws(GitReceiverError) {
        var raw = oid.git
        try check(git_packbuilder_insert_recur(self.pointer, &raw, nil), "An object could not be read.")
    }

    /// Writes the pack piece by piece; `write` returns false to stop.
    func forEachPiece(_ write: @escaping (UnsafeRawBufferPointer) -> Bool) throws(GitReceiverError) {
        final class Sink {
            let write: (UnsafeRawBufferPointer) -> Bool
            init(_ write: @escaping (UnsafeRawBufferPointer) -> Bool) { self.write = write }
        }
        let sink = Sink(write)
        let code = withExtendedLifetime(sink) {
            git_packbuilder_foreach(
                self.pointer,
                { bytes, count, payload in
                    guard let payload else { return -1 }
                    let sink = Unmanaged<Sink>.fromOpaque(payload).takeUnretainedValue()
                    return sink.write(UnsafeRawBufferPointer(start: bytes, count: count)) ? 0 : -1
                }, Unmanaged.passUnretained(sink).toOpaque())
        }
        try check(code, "The pack could not be made.")
    }
}

/// A walk over commits, from some, without what others have.
final class RevisionWalk {
    let pointer: OpaquePointer
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
