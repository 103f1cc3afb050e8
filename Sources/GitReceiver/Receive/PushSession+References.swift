import Logging
import SystemPackage

/// The end of a push: its references change. All of this blocks.
extension PushSession {
    /// How many references are locked together: libgit2 holds a file open for each of them.
    private static let batchSize = 100

    /// Makes the objects and references of an accepted push visible; returns why references were refused after all.
    func apply(_ decided: [String?], _ pack: FilePath?) throws(GitReceiverError) -> [String?] {
        let path = try self.core.repositories.path(of: self.name)
        return try self.core.repositories.withReferencesLocked(of: path) { () throws(GitReceiverError) -> [String?] in
            var refusals = decided
            let repository = try Repository(bareAt: path)
            let open = refusals.indices.filter { refusals[$0] == nil }
            let batches = stride(from: 0, to: open.count, by: Self.batchSize).map {
                open[$0..<min($0 + Self.batchSize, open.count)]
            }
            if self.request.isAtomic, batches.count > 1 {
                for batch in batches { _ = try self.lock(batch, in: repository, &refusals) }
                refusals = RefRules.atomically(refusals)
            }
            var (isInstalled, hasChanged) = (false, false)
            for batch in batches {
                do throws(GitReceiverError) {
                    let transaction = try self.lock(batch, in: repository, &refusals)
                    if self.request.isAtomic, !hasChanged { refusals = RefRules.atomically(refusals) }
                    let accepted = batch.filter { refusals[$0] == nil }
                    guard !accepted.isEmpty else { continue }
                    // Before the first of all: while nothing has changed, a full disk refuses the push as a whole.
                    let needsObjects = open.contains { refusals[$0] == nil && !self.request.commands[$0].isDeletion }
                    if needsObjects, !isInstalled {
                        try self.install(pack, in: path)
                        isInstalled = true
                    }
                    if try self.change(accepted, transaction, in: repository, &refusals) { hasChanged = true }
                } catch {
                    guard hasChanged else { throw error }
                    self.logger.info("references were not changed", metadata: ["error": "\(error.cause ?? error)"])
                    for index in batch where refusals[index] == nil { refusals[index] = error.message }
                }
            }
            guard hasChanged else { return refusals }
            self.updateHead(repository)
            // What is put aside stays where it is until its time is over, however often maintenance runs.
            let packs = PackDirectory(repository: path).count - KeptPacks(repository: path).since.count
            if packs > self.core.configuration.maintenance.packs {
                self.core.maintenance.ask(for: self.name)
            }
            return refusals
        }
    }

    /// Locks the references of some commands, and refuses those that are not what the client believes.
    private func lock(
        _ batch: ArraySlice<Int>, in repository: Repository, _ refusals: inout [String?]
    ) throws(GitReceiverError) -> RefTransaction {
        let transaction = try RefTransaction(repository)
        for index in batch where refusals[index] == nil {
            let command = self.request.commands[index]
            do throws(GitReceiverError) {
                try transaction.lock(command.name)
                // Under the lock, so that nobody can come between the comparison and the change.
                let current = try repository.target(of: command.name) ?? .zero
                if current != command.old { refusals[index] = "fetch first" }
            } catch {
                self.logger.info("a reference was not locked", metadata: ["error": "\(error.cause ?? error)"])
                refusals[index] = error.message
            }
        }
        return transaction
    }

    private func install(_ pack: FilePath?, in path: FilePath) throws(GitReceiverError) {
        guard pack != nil, let quarantine = self.quarantine else { return }
        try quarantine.install()
        try KeptPacks.forget(quarantine.installed, of: path)
    }

    /// Changes references, and refuses those that were not; true if any was.
    private func change(
        _ accepted: [Int], _ transaction: RefTransaction, in repository: Repository, _ refusals: inout [String?]
    ) throws(GitReceiverError) -> Bool {
        do throws(GitReceiverError) {
            for command in accepted.map({ self.request.commands[$0] }) {
                if command.isDeletion {
                    try transaction.remove(command.name)
                } else {
                    try transaction.set(command.name, to: command.new)
                }
            }
            try transaction.commit()
            return true
        } catch {
            // The references before the one that failed have changed, and nothing changes them back.
            self.logger.info("references were not changed", metadata: ["error": "\(error.cause ?? error)"])
            for index in accepted {
                let command = self.request.commands[index]
                if try repository.target(of: command.name) ?? .zero != command.new { refusals[index] = error.message }
            }
            return accepted.contains { refusals[$0] == nil }
        }
    }

    /// A repository whose only branch is `master` should be cloned with it checked out. The push is done by now, so
    /// a failure is only logged.
    private func updateHead(_ repository: Repository) {
        do throws(GitReceiverError) {
            let snapshot = try repository.snapshot(peeling: false, limit: .max)
            let head = RefRules.head(current: snapshot.headTarget, names: Set(snapshot.refs.map(\.name)))
            if head != snapshot.headTarget { try repository.setHead(head) }
        } catch {
            self.logger.info("HEAD was not updated", metadata: ["error": "\(error.cause ?? error)"])
        }
    }
}
