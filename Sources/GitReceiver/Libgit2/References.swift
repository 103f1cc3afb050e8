import CLibgit2

extension Repository {
    /// All direct references, sorted, with annotated tags followed to their end if asked for.
    func snapshot(peeling: Bool, limit: Int) throws(GitReceiverError) -> RefSnapshot {
        var iterator: OpaquePointer?
        try check(git_reference_iterator_new(&iterator, self.pointer), "The references could not be read.")
        defer { git_reference_iterator_free(iterator) }
        let objects = try self.objects()
        var snapshot = RefSnapshot()
        while true {
            var reference: OpaquePointer?
            let code = git_reference_next(&reference, iterator)
            if code == GIT_ITEROVER.rawValue { break }
            try check(code, "The references could not be read.")
            defer { git_reference_free(reference) }
            guard let target = git_reference_target(reference), let name = git_reference_name(reference) else {
                continue
            }
            var ref = RefSnapshot.Ref(name: String(cString: name), oid: ObjectID(target.pointee))
            if peeling, ref.name.hasPrefix("refs/tags/"), try objects.header(of: ref.oid)?.kind == .tag {
                ref.peeled = try self.peel(ref.oid)
            }
            snapshot.refs.append(ref)
            guard snapshot.refs.count <= limit else {
                throw GitReceiverError(.limitExceeded, "The repository has more than \(limit) references.")
            }
        }
        snapshot.refs.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        snapshot.headTarget = try self.headTarget() ?? snapshot.headTarget
        return snapshot
    }

    /// The branch that HEAD names.
    func headTarget() throws(GitReceiverError) -> String? {
        var head: OpaquePointer?
        try check(git_reference_lookup(&head, self.pointer, "HEAD"), "HEAD could not be read.")
        defer { git_reference_free(head) }
        return git_reference_symbolic_target(head).map { String(cString: $0) }
    }

    func setHead(_ name: String) throws(GitReceiverError) {
        try check(git_repository_set_head(self.pointer, name), "HEAD could not be set.")
    }

    /// What libgit2 thinks of a reference's name.
    static func isValidReferenceName(_ name: String) -> Bool {
        var valid: Int32 = 0
        return git_reference_name_is_valid(&valid, name) == 0 && valid == 1
    }

    /// The value of a direct reference, or nil.
    func target(of name: String) throws(GitReceiverError) -> ObjectID? {
        var oid = git_oid()
        let code = git_reference_name_to_id(&oid, self.pointer, name)
        if code == GIT_ENOTFOUND.rawValue { return nil }
        try check(code, "The reference could not be read.")
        return ObjectID(oid)
    }
}

/// A change of several references, each locked before it is looked at.
final class RefTransaction {
    private let pointer: OpaquePointer
    /// libgit2 borrows the repository.
    private let repository: Repository

    init(_ repository: Repository) throws(GitReceiverError) {
        var pointer: OpaquePointer?
        try check(git_transaction_new(&pointer, repository.pointer), "The references could not be locked.")
        guard let pointer else { throw GitReceiverError(.storage, "The references could not be locked.") }
        self.pointer = pointer
        self.repository = repository
    }

    deinit { git_transaction_free(self.pointer) }

    func lock(_ name: String) throws(GitReceiverError) {
        try check(git_transaction_lock_ref(self.pointer, name), "the reference could not be locked; push again")
    }

    func set(_ name: String, to oid: ObjectID) throws(GitReceiverError) {
        var raw = oid.git
        try check(
            git_transaction_set_target(self.pointer, name, &raw, nil, "push"), "the reference could not be updated")
    }

    func remove(_ name: String) throws(GitReceiverError) {
        try check(git_transaction_remove(self.pointer, name), "the reference could not be deleted")
    }

    func commit() throws(GitReceiverError) {
        try check(git_transaction_commit(self.pointer), "the references could not be updated")
    }
}
