import CLibgit2
import SystemPackage

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

    /// The objects added so far.
    var count: Int { git_packbuilder_object_count(self.pointer) }

    /// Adds one object by itself; objects of one name are tried as each other's deltas.
    func insert(_ oid: ObjectID, name: String? = nil) throws(GitReceiverError) {
        var raw = oid.git
        try check(git_packbuilder_insert(self.pointer, &raw, name), "An object could not be read.")
    }

    /// Writes the pack and its index into a directory; returns their name without suffix, or nil if `isOver` has
    /// stopped it.
    func write(into directory: FilePath, isOver: @escaping () -> Bool) throws(GitReceiverError) -> String? {
        let watch = Watch(isOver)
        let payload = Unmanaged.passUnretained(watch).toOpaque()
        return try withExtendedLifetime(watch) { () throws(GitReceiverError) in
            git_packbuilder_set_callbacks(
                self.pointer,
                { _, _, _, payload in
                    payload.map { Unmanaged<Watch>.fromOpaque($0).takeUnretainedValue().ask() } ?? 0
                }, payload)
            let code = git_packbuilder_write(
                self.pointer, directory.string, 0,
                { _, payload in
                    payload.map { Unmanaged<Watch>.fromOpaque($0).takeUnretainedValue().ask() } ?? 0
                }, payload)
            if code < 0, watch.fired { return nil }
            try check(code, "The pack could not be written.")
            guard let name = git_packbuilder_name(self.pointer) else {
                throw GitReceiverError(.storage, "The pack could not be written.")
            }
            return "pack-" + String(cString: name)
        }
    }

    /// What the C callbacks ask.
    private final class Watch {
        private let isOver: () -> Bool
        private(set) var fired = false

        init(_ isOver: @escaping () -> Bool) { self.isOver = isOver }

        func ask() -> Int32 {
            if !self.fired { self.fired = self.isOver() }
            return self.fired ? -1 : 0
        }
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
