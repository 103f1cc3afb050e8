import Synchronization
import SystemPackage

/// A pack on its way to a client: made while it is sent, from entries that are copied.
///
/// Why it is not made first and sent then, as a spooled pack is: 1 GiB would be written and read again for each of the
/// clients that clone at the same time, and none of them sees a byte before the last is made. Copying costs so little
/// that the client's connection sets the pace. What a slow client holds meanwhile is small:
///
/// - no thread: each piece is a call of its own on the ``BlockingPool``;
/// - no lock: the packs are open, so maintenance may remove their files whenever it likes;
/// - of memory, some 80 bytes for each object and the piece that is being sent;
/// - one of the places for fetches, until it is too slow for that (``ClientPace``).
///
/// Open files are what there could be too many of: each pack is one for each client. Fetches share a number of them
/// (``Budget``); one for which too few are left is spooled to a file without a name, which is one descriptor however
/// many packs there were. Their objects have a budget as well, which is one of memory: a fetch of millions that does not fit lets go
/// of its plan once it is spooled. An object that has to be made anew and is large is spooled by itself, so that no memory waits for
/// a client.
final class FetchedPack: Sendable {
    /// One of the two is there.
    private struct State {
        var assembly: PackAssembly?
        var spool: PackSpool?
        var sent = 0
        /// What it takes of the budgets, if it is not spooled.
        var shares: (files: Budget.Share, objects: Budget.Share)?
    }

    private let state: Mutex<State>
    private let repository: FilePath
    private let limits: GitServer.Configuration.Limits
    /// What there is in it, in words.
    let summary: String

    /// Decides how to make the pack; spools it if it has to. Blocks.
    init(
        _ contents: PackContents, repository: FilePath, usesOffsets: Bool, _ core: ServerCore, flag: CancellationFlag
    ) throws(GitReceiverError) {
        self.repository = repository
        let (limits, clock) = (core.configuration.limits, core.configuration.clock)
        self.limits = limits
        guard contents.bytes <= limits.fetchBytes else { throw Self.tooLarge(limits) }
        let used = Set(contents.entries.lazy.map(\.pack)).subtracting([-1])
        let shares: (files: Budget.Share, objects: Budget.Share)?
        if let files = core.openFiles.take(used.count), let objects = core.plannedObjects.take(contents.objects.count) {
            shares = (files, objects)
        } else {
            shares = nil
        }
        let objects = repository.appending("objects")
        // Chains that are deep are for maintenance to cut: a client takes what it gets.
        var assembly = PackAssembly(
            contents, depthLimit: limits.deltaDepth,
            options: .init(
                usesOffsets: usesOffsets, makingTime: limits.fetchTime, clock: clock, spoolDirectory: objects,
                keepsOpen: shares != nil))
        let plan = assembly.plan
        self.summary = "Total \(plan.order.count) (delta \(plan.deltas)), reused \(plan.copied)"
        if shares != nil {
            for pack in used { try contents.packs[Int(pack)].open() }
            self.state = Mutex(State(assembly: assembly, shares: shares))
        } else {
            let spool = try PackSpool(in: objects, limit: limits.fetchBytes)
            let loose = LooseObjects(repository)
            while true {
                let piece = try assembly.next(
                    loose: { oid throws(GitReceiverError) in try loose.read(oid) },
                    check: { () throws(GitReceiverError) in try flag.check() })
                if piece.isEmpty || !piece.withUnsafeBytes({ spool.append($0) }) { break }
            }
            try spool.rewind()
            self.state = Mutex(State(spool: spool))
        }
    }

    /// The next piece; empty at the end. Blocks, but for no client.
    func next(flag: CancellationFlag) throws(GitReceiverError) -> [UInt8] {
        try self.state.withLock { state throws(GitReceiverError) in
            let loose = LooseObjects(self.repository)
            var piece = try state.assembly?.next(
                loose: { oid throws(GitReceiverError) in try loose.read(oid) },
                check: { () throws(GitReceiverError) in try flag.check() })
            if piece == nil { piece = try state.spool?.read() }
            let bytes = piece ?? []
            // At the end all is given back, whoever still holds this.
            if bytes.isEmpty { state = State() }
            state.sent += bytes.count
            guard state.sent <= self.limits.fetchBytes else { throw Self.tooLarge(self.limits) }
            return bytes
        }
    }

    private static func tooLarge(_ limits: GitServer.Configuration.Limits) -> GitReceiverError {
        GitReceiverError(
            .limitExceeded, "The pack is larger than \(limits.fetchBytes >> 20) MiB, the limit of this server.")
    }
}

/// Objects that are in no pack, read through libgit2, which is opened when the first is asked for.
final class LooseObjects {
    private let path: FilePath
    private var opened: (repository: Repository, objects: ObjectDatabase)?

    init(_ path: FilePath) { self.path = path }

    func read(_ oid: ObjectID) throws(GitReceiverError) -> (kind: ObjectKind, data: ObjectBuffer) {
        if let opened = self.opened { return try opened.objects.buffer(of: oid, limit: .max) }
        let repository = try Repository(bareAt: self.path)
        self.opened = (repository, try repository.objects())
        return try self.read(oid)
    }
}
