public import SystemPackage

/// Keeps slugs: built application trees, by the digest of what they contain.
///
/// ## Promises a conformer keeps
/// - The same tree with the same metadata is the same ``SlugID``, wherever, whenever and in whatever order it was made.
///   Times, owners and all permissions but the executable bit are not part of a slug.
/// - A slug is visible only when it is complete and durable. A `put` that throws, is cancelled or is killed leaves the
///   repository as it was.
/// - What `materialise` returns is bit for bit what was put, or it throws.
/// - Every function throws ``SlugStoreError/Code/cancelled`` when its task is cancelled, after it has cleaned up.
/// - All functions may be called at the same time from many tasks, and from a second process on the same store.
///
/// Run `SlugRepositoryConformance` of `SlugStoreTesting` against your own.
public protocol SlugRepository: Sendable {
    /// Stores the tree at `tree`.
    ///
    /// Links are stored as they are and never followed. Each file is read once.
    /// - Parameters:
    ///   - tree: A directory with files, directories and symbolic links. Hard links become separate files.
    ///   - metadata: What the slug says about itself; part of its identity.
    ///   - progress: Is called now and then, from any thread, never twice at a time.
    /// - Returns: The slug; its `newBytesStored` is what this call added on disk, 0 if the slug was there already.
    /// - Throws: ``SlugStoreError/Code/unsupportedEntry`` for sockets, devices and FIFOs,
    ///   ``SlugStoreError/Code/changedWhileReading``, ``SlugStoreError/Code/limitExceeded``,
    ///   ``SlugStoreError/Code/noSpace``, among others.
    func put(
        _ tree: FilePath, metadata: SlugMetadata, progress: (@Sendable (SlugProgress) -> Void)?
    ) async throws(SlugStoreError) -> SlugSummary

    /// Makes the slug's tree, once, if its signatures are as they have to be: every byte is verified while it is written, the tree appears in one step, a second
    /// call finds it there, and concurrent calls share the work.
    /// - Throws: ``SlugStoreError/Code/notFound``; ``SlugStoreError/Code/corrupted``, saying which chunk and file;
    ///   ``SlugStoreError/Code/untrusted``; ``SlugStoreError/Code/noSpace``, before anything is written.
    func materialise(_ id: SlugID) async throws(SlugStoreError) -> MaterialisedSlug

    /// What is known of a slug.
    /// - Throws: ``SlugStoreError/Code/notFound``.
    func summary(of id: SlugID) async throws(SlugStoreError) -> SlugSummary

    /// All slugs, oldest first. A slug whose record is damaged is left out (and logged) so that it hides no other.
    func list() async throws(SlugStoreError) -> [SlugSummary]

    /// The files, directories and links of a slug, each directory before what is in it.
    /// - Throws: ``SlugStoreError/Code/notFound``; ``SlugStoreError/Code/corrupted``.
    func contents(of id: SlugID) async throws(SlugStoreError) -> [SlugEntry]

    /// Keeps a signature with a slug. A second one of the same key replaces the first.
    /// - Throws: ``SlugStoreError/Code/untrusted`` if it is not a valid one of this slug; ``SlugStoreError/Code/notFound``;
    ///   ``SlugStoreError/Code/limitExceeded`` beyond 32 keys, where nobody else adds any.
    func add(_ signature: SlugSignature, to id: SlugID) async throws(SlugStoreError)

    /// The signatures that are kept with a slug, in the order of their keys. What is valid is for ``SignaturePolicy`` to say.
    /// - Throws: ``SlugStoreError/Code/notFound``; ``SlugStoreError/Code/corrupted``.
    func signatures(of id: SlugID) async throws(SlugStoreError) -> [SlugSignature]

    /// Reads and checks every stored byte of a slug.
    /// - Throws: ``SlugStoreError/Code/corrupted``, saying which chunk and file; ``SlugStoreError/Code/notFound``.
    func verify(_ id: SlugID) async throws(SlugStoreError)

    /// Reads what the repository keeps, all or a share of it, and goes on after a damage, to find it before a deployment does.
    /// Meant to run in the background, beside everything else.
    ///
    /// What a conformer does not say otherwise: it verifies one slug after the other, and pauses between them.
    /// - Parameters:
    ///   - options: How much, and how fast.
    ///   - clock: What pauses sleep on.
    ///   - randomness: What chooses the share.
    ///   - progress: Is called now and then with what was found so far.
    /// - Throws: ``SlugStoreError/Code/cancelled``, and what makes reading impossible; damage is reported, not thrown.
    func verifyAll(
        _ options: VerificationOptions, clock: any Clock<Duration>, randomness: any RandomNumberGenerator & Sendable,
        progress: (@Sendable (VerificationReport) -> Void)?
    ) async throws(SlugStoreError) -> VerificationReport

    /// Removes a slug and its materialised tree; nobody may be using that. Its chunks go at ``collectGarbage()``.
    /// - Throws: ``SlugStoreError/Code/notFound``.
    func remove(_ id: SlugID) async throws(SlugStoreError)

    /// Frees the space that no slug needs. Waits for running puts and materialisations; later ones wait for it.
    func collectGarbage() async throws(SlugStoreError) -> GarbageReport
}

extension SlugRepository {
    /// What one slug has that another has not.
    /// - Throws: As ``contents(of:)``.
    public func difference(from old: SlugID, to new: SlugID) async throws(SlugStoreError) -> SlugDifference {
        SlugDifference(from: try await self.contents(of: old), to: try await self.contents(of: new))
    }

    /// Reads and checks everything as fast as it goes.
    /// - Throws: As ``verifyAll(_:clock:randomness:progress:)``.
    public func verifyAll() async throws(SlugStoreError) -> VerificationReport {
        try await self.verifyAll(
            VerificationOptions(), clock: ContinuousClock(), randomness: SystemRandomNumberGenerator(), progress: nil)
    }

    /// One slug after the other, by ``verify(_:)``.
    public func verifyAll(
        _ options: VerificationOptions, clock: any Clock<Duration>, randomness: any RandomNumberGenerator & Sendable,
        progress: (@Sendable (VerificationReport) -> Void)?
    ) async throws(SlugStoreError) -> VerificationReport {
        var report = VerificationReport()
        var randomness = randomness
        let pace = Pace(limit: options.maxBytesPerSecond)
        for slug in try await self.list() {
            guard options.share >= 1 || Double.random(in: 0..<1, using: &randomness) < options.share else { continue }
            do throws(SlugStoreError) {
                try await self.verify(slug.id)
            } catch {
                switch error.code {
                case .notFound: continue  // removed meanwhile
                case .corrupted: report.damages.append(.init(description: error.message, slugs: [slug.id]))
                default: throw error
                }
            }
            report.slugs += 1
            report.bytes += slug.bytes
            progress?(report)
            try await pace.wait(after: slug.bytes, clock)
        }
        return report
    }

    /// Vouches for a slug.
    /// - Throws: As ``add(_:to:)``.
    public func sign(_ id: SlugID, by signer: SlugSigner) async throws(SlugStoreError) {
        try await self.add(try signer.signature(of: id), to: id)
    }

    /// Stores the tree at `tree` without telling how far it is.
    public func put(_ tree: FilePath, metadata: SlugMetadata) async throws(SlugStoreError) -> SlugSummary {
        try await self.put(tree, metadata: metadata, progress: nil)
    }
}
