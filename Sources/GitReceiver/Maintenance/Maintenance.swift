import CLibgit2
import SystemPackage

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Makes one pack of many, puts aside what no reference reaches and removes it when its time is over.
///
/// The work has three parts, so that pushes and fetches go on during the long first one:
///
/// 1. ``prepare()`` reads and writes new packs into a quarantine. Nothing changes.
/// 2. ``install(_:)`` makes them part of the repository, beside the old ones. Every object is there twice at most.
/// 3. ``removeOld(_:)`` removes the old packs once nobody reads them: whoever does holds a shared lock.
///
/// No push may be judged between the first look at the references and the end of the third part, or it could come to
/// rely on an object that is about to go. Parts two and three therefore hold the turn of a push, and part two looks whether the
/// references are still those of part one. A process that is killed anywhere leaves a complete repository: at
/// most a quarantine, packs that are there twice, or a pack without its index, all of which the next run removes.
struct Maintenance {
    /// Where a test can let the process die.
    enum Step: Sendable, CaseIterable { case packed, listed, installed, referencesPacked, oldRemoved, saved }

    /// What the first part made.
    struct Plan: Sendable {
        var report = MaintenanceReport()
        var quarantine: Quarantine?
        var references: RefSnapshot
        var oldPacks: [String] = []
        var looseFiles: [FilePath] = []
        var keptPack: String?
        var newPacks = 0
    }

    let core: ServerCore
    let name: RepositoryName
    let path: FilePath
    let flag: CancellationFlag
    var at: @Sendable (Step) throws(GitReceiverError) -> Void = { (_) throws(GitReceiverError) in }

    private var directory: PackDirectory { PackDirectory(repository: self.path) }
    private var options: GitServer.Configuration.Maintenance { self.core.configuration.maintenance }

    /// Decides what has to go together, and writes it. Blocks, for as long as the configuration allows.
    func prepare() throws(GitReceiverError) -> Plan {
        let deadline = Deadline(
            self.core.configuration.clock, limit: self.options.time, what: "the maintenance", flag: self.flag)
        let repository = try Repository(bareAt: self.path)
        let objects = try repository.objects()
        var plan = Plan(references: try repository.snapshot(peeling: false, limit: .max))
        let packs = self.directory.packs()
        let loose = self.directory.looseObjects()
        let catalog = try PackCatalog(self.directory)
        plan.report.packsBefore = packs.count
        plan.report.bytesBefore = packs.reduce(0) { $0 + $1.bytes }

        var walk = ObjectWalk(objects, limit: self.options.objects, deadline: deadline)
        var reachable: [ObjectID] = []
        for ref in plan.references.refs {
            try walk.visit(ref.oid) { oid, _ throws(GitReceiverError) in reachable.append(oid) }
        }
        plan.report.reachableObjects = reachable.count
        let unreachable = try self.unreachable(packs, catalog, loose, objects, deadline, reachable: walk.seen, &plan)
        let isOnePack = plan.oldPacks.count == 1 && loose.isEmpty && plan.report.prunedObjects == 0
        guard !(isOnePack || plan.oldPacks.isEmpty && loose.isEmpty) || !unreachable.isEmpty else {
            plan.oldPacks = []
            return plan
        }

        let quarantine = try Quarantine(in: self.path)
        let target = quarantine.path.appending("pack")
        if !reachable.isEmpty {
            let name = try self.write(reachable, from: catalog, into: target, objects, deadline)
            // It is as old as the newest that it replaces, so that packs stay in the order in which they build on each other.
            let newest = packs.lazy.filter { plan.oldPacks.contains($0.name) }.map(\.time).max()
            if let newest { try Files.setTime(target.appending(name + ".pack"), to: newest) }
        }
        if !unreachable.isEmpty {
            plan.keptPack = try self.write(unreachable, from: catalog, into: target, objects, deadline)
        }
        plan.newPacks = (reachable.isEmpty ? 0 : 1) + (unreachable.isEmpty ? 0 : 1)
        plan.looseFiles = loose.map(\.file)
        plan.quarantine = quarantine
        try self.at(.packed)
        return plan
    }

    private func write(
        _ names: [ObjectID], from catalog: PackCatalog, into target: FilePath, _ objects: ObjectDatabase,
        _ deadline: Deadline
    ) throws(GitReceiverError) -> String {
        let configuration = self.core.configuration
        let contents = try catalog.find(names) { () throws(GitReceiverError) in try deadline.check() }
        var assembly = PackAssembly(
            contents, depthLimit: min(self.options.deltaDepth, configuration.limits.deltaDepth),
            options: .init(
                sums: true, makingTime: self.options.time, clock: configuration.clock, spoolDirectory: target))
        return try assembly.write(
            into: target,
            loose: { oid throws(GitReceiverError) in try objects.buffer(of: oid, limit: .max) }, deadline: deadline)
    }

    /// Sorts the packs into those that stay and those that are replaced; returns what has to be put aside.
    private func unreachable(
        _ packs: [PackDirectory.Pack], _ catalog: PackCatalog, _ loose: [(oid: ObjectID, file: FilePath)],
        _ objects: ObjectDatabase, _ deadline: Deadline, reachable: Set<ObjectID>, _ plan: inout Plan
    ) throws(GitReceiverError) -> [ObjectID] {
        let kept = KeptPacks(repository: self.path)
        let oldest = self.core.configuration.now().addingTimeInterval(-Double(self.options.grace.components.seconds))
        var unreachable: Set<ObjectID> = []
        var pruned: Set<ObjectID> = []
        // In packs that stay.
        var staying: Set<ObjectID> = []
        for pack in packs {
            let since = kept.since[pack.name]
            let stays = pack.isKept || since.map { $0 > oldest } ?? false
            if !stays { plan.oldPacks.append(pack.name) }
            guard let index = catalog.packs.first(where: { $0.name == pack.name })?.index else { continue }
            for oid in (0..<index.count).lazy.map(index.oid) where !reachable.contains(oid) {
                guard unreachable.count + pruned.count + staying.count < self.options.objects else {
                    throw GitReceiverError(
                        .limitExceeded, "The repository has more than \(self.options.objects) objects.")
                }
                if stays {
                    staying.insert(oid)
                } else if since == nil {
                    unreachable.insert(oid)
                } else {
                    pruned.insert(oid)
                }
            }
        }
        for (oid, _) in loose where !reachable.contains(oid) { unreachable.insert(oid) }
        if self.options.grace <= .zero {
            pruned.formUnion(unreachable)
            unreachable = []
        }
        pruned.subtract(unreachable)
        pruned.subtract(staying)
        // What stays keeps what it builds on, however old that is: whatever the repository has is complete. A push may
        // come to rely on it, and a client that has it says so.
        var pending = pruned.isEmpty ? [] : Array(unreachable) + staying
        while let oid = pending.popLast() {
            try deadline.check()
            for other in try objects.references(of: oid) where pruned.remove(other) != nil {
                unreachable.insert(other)
                pending.append(other)
            }
        }
        plan.report.keptObjects = unreachable.count
        plan.report.prunedObjects = pruned.count
        return unreachable.sorted()
    }

    /// Makes the new packs part of the repository and packs the references. False if references have changed since
    /// ``prepare()``, which then has to be done again. The caller holds the turn. Blocks.
    func install(_ plan: inout Plan) throws(GitReceiverError) -> Bool {
        var report = plan.report
        let done = try self.core.repositories.withReferencesLocked(of: self.path) { () throws(GitReceiverError) in
            report.leftovers += try self.directory.removeLeftovers(now: self.core.configuration.now())
            let repository = try Repository(bareAt: self.path)
            if report.prunedObjects > 0 {
                guard try repository.snapshot(peeling: false, limit: .max) == plan.references else { return false }
            }
            if let pack = plan.keptPack {
                // Before the pack: one that is there without being listed would be put aside once more.
                var kept = KeptPacks(repository: self.path)
                kept.add(pack, at: self.core.configuration.now())
                try kept.save()
            }
            try self.at(.listed)
            try plan.quarantine?.install()
            // What is reached is put aside no more, be it in a pack of the same name.
            let reached = (plan.quarantine?.installed ?? []).filter { $0 != plan.keptPack }
            try KeptPacks.forget(reached, of: self.path)
            guard plan.quarantine?.installed.count ?? 0 == plan.newPacks else {
                throw GitReceiverError(.storage, "The new packs are not there; the old ones stay.")
            }
            try self.at(.installed)
            try repository.packReferences()
            try self.at(.referencesPacked)
            return true
        }
        plan.report = report
        return done
    }

    /// Removes what the new packs replace, if nobody reads the repository at this moment. The caller holds the
    /// turn. Blocks.
    func removeOld(_ plan: inout Plan) throws(GitReceiverError) -> Bool {
        guard let alone = try FileLock(self.path.appending(Repository.readersLock), waits: false) else { return false }
        // The turn is that of this process. Another, as its successor, may have accepted a push since part two.
        if plan.report.prunedObjects > 0 {
            let repository = try Repository(bareAt: self.path, isAlone: true)
            guard try repository.snapshot(peeling: false, limit: .max) == plan.references else {
                plan.report.notes.append("references have changed and the old packs were not removed")
                return true
            }
        }
        let installed = Set(plan.quarantine?.installed ?? [])
        if !plan.oldPacks.isEmpty { try self.directory.removeMultiPackIndex() }
        if plan.report.prunedObjects > 0 { try self.directory.removeCommitGraph() }
        for (index, pack) in plan.oldPacks.enumerated() where !installed.contains(pack) {
            try self.directory.remove(pack)
            if index == 0 { try self.at(.oldRemoved) }
        }
        for file in plan.looseFiles { try Files.remove(file) }
        try Files.sync(self.directory.path)
        _ = consume alone
        return true
    }

    /// Counts what is there now, and forgets packs that are not.
    func finish(_ plan: Plan) throws(GitReceiverError) -> MaintenanceReport {
        let packs = self.directory.packs()
        // A push of another process may take up a pack meanwhile.
        try self.core.repositories.withReferencesLocked(of: self.path) { () throws(GitReceiverError) in
            var kept = KeptPacks(repository: self.path)
            kept.keepOnly(Set(self.directory.packs().map(\.name)))
            try kept.save()
        }
        try self.at(.saved)
        var report = plan.report
        report.packsAfter = packs.count
        report.bytesAfter = packs.reduce(0) { $0 + $1.bytes }
        return report
    }
}

extension Repository {
    /// Moves all references into one file.
    func packReferences() throws(GitReceiverError) {
        var database: OpaquePointer?
        try check(git_repository_refdb(&database, self.pointer), "The references could not be packed.")
        defer { git_refdb_free(database) }
        try check(git_refdb_compress(database), "The references could not be packed.")
    }
}
