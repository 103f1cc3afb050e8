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
/// - one of the places for fetches, until it is too slow for that (``FetchPace``).
///
/// Open files are what there could be too many of: each pack is one for each client. Fetches share a number of them
/// (``OpenFileBudget``); one for which too few are left is spooled to a file without a name, which is one descriptor however
/// many packs there were. An object that has to be made anew and is large is spooled by itself, so that no memory waits for
/// a client.
final class FetchedPack: Sendable {
    /// One of the two is there.
    private struct State {
        var assembly: PackAssembly?
        var spool: PackSpool?
        var sent = 0
    }

    private let state: Mutex<State>
    private let repository: FilePath
    private let limits: GitServer.Configuration.Limits
    private let files: OpenFileBudget.Share?
    /// What there is in it, in words.
    let summary: String

    /// Decides how to make the pack; spools it if it has to. Blocks.
    init(
        _ contents: PackContents, repository: FilePath, usesOffsets: Bool, budget: OpenFileBudget,
        limits: GitServer.Configuration.Limits, flag: CancellationFlag
    ) throws(GitReceiverError) {
        self.repository = repository
        self.limits = limits
        guard contents.bytes <= limits.fetchBytes else { throw Self.tooLarge(limits) }
        let used = Set(contents.entries.lazy.map(\.pack)).subtracting([-1])
        self.files = budget.take(used.count)
        let objects = repository.appending("objects")
        // Chains that are deep are for maintenance to cut: a client takes what it gets.
        var assembly = PackAssembly(
            contents, depthLimit: limits.deltaDepth,
            options: .init(
                usesOffsets: usesOffsets, objectBytes: limits.objectBytes, deltaDepth: limits.deltaDepth,
                spoolDirectory: objects, keepsOpen: self.files != nil))
        let plan = assembly.plan
        self.summary = "Total \(plan.order.count) (delta \(plan.deltas)), reused \(plan.copied)"
        if self.files != nil {
            for pack in used { try contents.packs[Int(pack)].open() }
            self.state = Mutex(State(assembly: assembly))
        } else {
            let spool = try PackSpool(in: objects, limit: limits.fetchBytes)
            let loose = LooseObjects(repository, limit: limits.objectBytes)
            while true {
                try flag.check()
                let piece = try assembly.next { oid throws(GitReceiverError) in try loose.read(oid) }
                if piece.isEmpty || !piece.withUnsafeBytes({ spool.append($0) }) { break }
            }
            try spool.rewind()
            self.state = Mutex(State(spool: spool))
        }
    }

    /// The next piece; empty at the end. Blocks, but for no client.
    func next() throws(GitReceiverError) -> [UInt8] {
        try self.state.withLock { state throws(GitReceiverError) in
            let loose = LooseObjects(self.repository, limit: self.limits.objectBytes)
            var piece = try state.assembly?.next { oid throws(GitReceiverError) in try loose.read(oid) }
            if piece == nil { piece = try state.spool?.read() }
            let bytes = piece ?? []
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
    private let limit: Int
    private var opened: (repository: Repository, objects: ObjectDatabase)?

    init(_ path: FilePath, limit: Int) {
        self.path = path
        self.limit = limit
    }

    func read(_ oid: ObjectID) throws(GitReceiverError) -> (kind: ObjectKind, data: ObjectBuffer) {
        if let opened = self.opened { return try opened.objects.buffer(of: oid, limit: self.limit) }
        let repository = try Repository(bareAt: self.path)
        self.opened = (repository, try repository.objects())
        return try self.read(oid)
    }
}
