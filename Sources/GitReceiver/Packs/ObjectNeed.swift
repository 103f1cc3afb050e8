/// An object that another names as one of a kind.
struct ObjectNeed: Sendable {
    var oid: ObjectID
    var kind: ObjectKind
    /// The object that names it.
    var owner: ObjectID
    var ownerKind: ObjectKind?

    /// Throws if there is no such object, or one of another kind.
    ///
    /// - Parameter isShallow: whether the client's history is, which is then why a commit was not sent.
    func check(_ found: ObjectKind?, isShallow: Bool) throws(GitReceiverError) {
        guard let found else {
            if self.kind == .commit, isShallow, self.ownerKind == .commit {
                throw GitReceiverError(.incomplete, "shallow update not allowed; run: git fetch --unshallow")
            }
            throw GitReceiverError(
                .incomplete, "\(self.ownerName) needs the \(self.kind.name) \(self.oid), which was not sent")
        }
        guard found == self.kind else {
            throw GitReceiverError(
                .corrupt, "\(self.ownerName) names \(self.oid) as a \(self.kind.name), but it is a \(found.name)")
        }
    }

    private var ownerName: String { "\(self.ownerKind?.name ?? "object") \(self.owner)" }
}
