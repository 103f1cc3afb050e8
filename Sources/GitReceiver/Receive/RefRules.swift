/// What a push may do to references, decided without the repository: names, deletions, conflicts.
enum RefRules {
    /// Why each command is refused before its objects are looked at; nil for those that may go on.
    static func refusals(
        _ commands: [ReceiveRequest.Command], snapshot: RefSnapshot, limit: Int
    ) -> [String?] {
        let current = Dictionary(snapshot.refs.map { ($0.name, $0.oid) }) { first, _ in first }
        var names = Set(current.keys)
        var directories = RefName.directories(of: snapshot.refs.map(\.name))
        var counts: [String: Int] = [:]
        for command in commands { counts[command.name, default: 0] += 1 }
        return commands.map { command in
            if let refusal = RefName.refusal(command.name) { return refusal }
            if counts[command.name, default: 0] > 1 { return "the push updates this reference more than once" }
            if command.isCreation, command.isDeletion { return "there is no such reference" }
            let old = current[command.name]
            if command.isDeletion, old == nil { return "there is no such reference" }
            if (old ?? .zero) != command.old {
                return old == nil ? "the reference is gone; fetch first" : "fetch first"
            }
            if command.isDeletion {
                return command.name == snapshot.headTarget ? "deletion of the current branch prohibited" : nil
            }
            guard command.isCreation else { return nil }
            if let conflict = RefName.conflict(of: command.name, with: names, directories: directories) {
                return "'\(conflict)' exists; cannot create '\(command.name)'"
            }
            guard names.count < limit else { return "the repository has \(limit) references, the limit of this server" }
            names.insert(command.name)
            directories.merge(RefName.directories(of: [command.name])) { first, _ in first }
            return nil
        }
    }

    /// Makes an atomic push refuse all once one is refused.
    static func atomically(_ refusals: [String?]) -> [String?] {
        guard refusals.contains(where: { $0 != nil }) else { return refusals }
        return refusals.map { $0 ?? "atomic push failure" }
    }

    /// The branch that HEAD should name: the one it does if that exists, else `main`, else `master`, else what it was.
    static func head(current: String, names: Set<String>) -> String {
        if names.contains(current) { return current }
        return ["refs/heads/main", "refs/heads/master"].first { names.contains($0) } ?? current
    }
}
