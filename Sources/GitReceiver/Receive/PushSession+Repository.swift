import Logging
import SystemPackage

/// The parts of a push that touch the repository. All of them block.
extension PushSession {
    /// How many tags may point at each other. Whoever asks for the references has all of them followed.
    private static let tagDepth = 32

    /// What is known of each command before the handler is asked, in the order of the request.
    struct Checked: Sendable {
        var updates: [RefUpdate]
        var refusals: [String?]
    }

    /// Checks that what the pack's objects need is there, then each command.
    func check(_ pack: FilePath?, _ flag: CancellationFlag) throws(GitReceiverError) -> Checked {
        let configuration = self.core.configuration
        let path = try self.core.repositories.path(of: self.name)
        let view = try Repository(bareAt: path, quarantine: pack)
        let objects = try view.objects()
        let deadline = Deadline(
            configuration.clock, limit: configuration.limits.checkingTime, what: "checking the pack", flag: flag)
        if pack != nil {
            guard case .received(let intake) = self.intake, let needs = intake.takeNeeds() else {
                throw GitReceiverError(.storage, "the pack cannot be checked: what its objects need is not known")
            }
            for need in needs {
                try deadline.check()
                try need.check(objects.header(of: need.oid)?.kind, isShallow: !self.request.shallow.isEmpty)
            }
        }
        let snapshot = try view.snapshot(peeling: false, limit: configuration.limits.references)
        var refusals = RefRules.refusals(
            self.request.commands, snapshot: snapshot, limit: configuration.limits.references)
        var updates: [RefUpdate] = []
        for (index, command) in self.request.commands.enumerated() {
            // To compare two commits may take all of the history.
            try deadline.check()
            var update = RefUpdate(
                name: command.name, old: command.isCreation ? nil : command.old.description,
                new: command.isDeletion ? nil : command.new.description)
            if refusals[index] == nil, !Repository.isValidReferenceName(command.name) {
                refusals[index] = "not a valid reference name"
            }
            if refusals[index] == nil, !command.isDeletion {
                let kind = try objects.header(of: command.new)?.kind
                if kind == nil {
                    refusals[index] = "missing necessary objects"
                } else if update.isBranch, kind != .commit {
                    refusals[index] = "a branch can only name a commit"
                } else if try objects.tagChain(command.new, limit: Self.tagDepth).kind == .tag {
                    refusals[index] = "more than \(Self.tagDepth) tags of tags, the limit of this server"
                } else if kind == .commit, !command.isCreation, try objects.header(of: command.old)?.kind == .commit {
                    update.isForced = try !view.isDescendant(command.new, of: command.old)
                }
            }
            updates.append(update)
        }
        return Checked(updates: updates, refusals: refusals)
    }
}
