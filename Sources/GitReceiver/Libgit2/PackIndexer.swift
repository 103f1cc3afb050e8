import CLibgit2
import SystemPackage

/// Takes a pack in pieces, writes it to a directory and indexes it. For one thread at a time.
///
/// Not Sendable: ``PackIntake`` keeps it behind a lock, because its calls come from several threads in turn.
final class PackIndexer {
    /// What the C callback asks between two objects.
    private final class Watch {
        var isOver: () -> Bool = { false }
        var fired = false
    }

    private let pointer: OpaquePointer
    /// libgit2 counts in the caller's value from call to call, so it has to be the same one.
    private var progress = git_indexer_progress()
    private let watch = Watch()
    /// Deltas may refer to objects of the repository; it stays open as long as the indexer.
    private let objects: ObjectDatabase

    init(into directory: FilePath, objects: ObjectDatabase) throws(GitReceiverError) {
        var options = git_indexer_options()
        try check(git_indexer_options_init(&options, UInt32(GIT_INDEXER_OPTIONS_VERSION)), "The pack cannot be stored.")
        options.progress_cb = { _, payload in
            guard let payload else { return 0 }
            let watch = Unmanaged<Watch>.fromOpaque(payload).takeUnretainedValue()
            guard watch.isOver() else { return 0 }
            watch.fired = true
            return -1
        }
        options.progress_cb_payload = Unmanaged.passUnretained(self.watch).toOpaque()
        // libgit2's own check refuses every tree with a submodule; ObjectCheck does the work instead.
        options.verify = 0
        var pointer: OpaquePointer?
        self.objects = objects
        let code = git_indexer_new(&pointer, directory.string, 0, self.objects.pointer, &options)
        try check(code, "The pack cannot be stored.")
        guard let pointer else { throw GitReceiverError(.storage, "The pack cannot be stored.") }
        self.pointer = pointer
    }

    deinit { git_indexer_free(self.pointer) }

    /// Takes more of the pack; `isOver` is asked between objects and stops the work.
    func append(_ bytes: [UInt8], isOver: () -> Bool) throws(GitReceiverError) -> Bool {
        try self.run(isOver) { pointer, progress in
            bytes.withUnsafeBytes { git_indexer_append(pointer, $0.baseAddress, $0.count, &progress) }
        }
    }

    /// Resolves deltas, adds the bases of a thin pack and writes the index. False if `isOver` stopped it.
    func commit(isOver: () -> Bool) throws(GitReceiverError) -> Bool {
        try self.run(isOver) { pointer, progress in git_indexer_commit(pointer, &progress) }
    }

    private func run(
        _ isOver: () -> Bool, _ call: (OpaquePointer, inout git_indexer_progress) -> Int32
    ) throws(GitReceiverError) -> Bool {
        let code = withoutActuallyEscaping(isOver) { isOver in
            self.watch.isOver = isOver
            defer { self.watch.isOver = { false } }
            return call(self.pointer, &self.progress)
        }
        if code < 0, self.watch.fired { return false }
        try check(code, "the pack is damaged or incomplete", as: .corrupt)
        return true
    }
}
