public import Logging
public import SystemPackage

/// Serves `git push`, `git clone` and `git fetch` over smart HTTP for a directory of bare repositories.
///
/// It knows no sockets: an HTTP server hands requests to ``respond(to:body:)`` and sends what comes back. What a push
/// means is up to a ``PushHandler``, which decides while the pushed objects are in quarantine.
///
/// Calls are safe from any number of tasks. Everything that blocks or computes for long runs on a few threads of the
/// server's own, never on the cooperative pool.
public final class GitServer: Sendable {
    let core: ServerCore

    /// A server for the repositories below ``Configuration/root``. Touches no file; leftovers of a process that died
    /// are swept when a repository is first used.
    ///
    /// - Parameters:
    ///   - configuration: Where the repositories are, and the limits.
    ///   - library: The process's use of libgit2, to share with other servers; nil starts it for this one. See
    ///     ``Libgit2Library`` for what holds for the whole process.
    ///   - handler: Decides about pushes.
    ///   - logger: Gets what clients are not told.
    /// - Throws: ``GitReceiverError/Code/storage`` if libgit2 cannot be started.
    public init(
        configuration: Configuration, library: Libgit2Library? = nil, handler: any PushHandler, logger: Logger
    ) throws(GitReceiverError) {
        let started: Libgit2Library
        if let library { started = library } else { started = try Libgit2Library() }
        self.core = ServerCore(configuration: configuration, library: started, handler: handler, logger: logger)
    }

    /// Answers one HTTP request.
    ///
    /// The body is read to its end before this returns, piece by piece with back-pressure; a pushed pack is in
    /// quarantine by then. What the client does wrong comes back as a response. Cancelling the task, here or in a streamed
    /// body, cancels the push: its handler's task is cancelled and its objects are removed. A client that stops sending
    /// without closing is the HTTP server's to notice; one that sends too slowly is refused.
    ///
    /// - Throws: What the body throws, and ``GitReceiverError/Code/cancelled``.
    public func respond<Body: AsyncSequence & Sendable>(
        to request: GitRequest, body: Body
    ) async throws -> GitResponse where Body.Element == [UInt8] {
        var reader = BodyReader(
            body.makeAsyncIterator(), of: request, pool: self.core.pool, configuration: self.core.configuration)
        let refusal: GitResponse
        do {
            switch GitRoute.of(request) {
            case .success(let route): return try await self.serve(route, request, &reader)
            case .failure(let failure): refusal = .refusal(failure.status, failure.message)
            }
        } catch let error as GitReceiverError where error.code != .cancelled {
            self.core.logger.info("git request refused", metadata: ["error": "\(error.cause ?? error)"])
            refusal = .refusal(error)
        }
        try await reader.discard(limit: self.core.configuration.limits.discardBytes)
        return refusal
    }

    private func serve<Source: AsyncIteratorProtocol>(
        _ route: GitRoute, _ request: GitRequest, _ body: inout BodyReader<Source>
    ) async throws -> GitResponse {
        let receive = ReceivePack(core: self.core, name: route.name)
        let upload = UploadPack(core: self.core, name: route.name)
        let version2 = GitRoute.wantsVersion2(request)
        switch route.action {
        // Here git shows the text of a refusal; it would only show the status of a later one.
        case .advertise(.receivePack):
            try self.core.packs.requireRoom()
            return try await receive.advertisement()
        case .advertise(.uploadPack):
            try self.core.fetches.requireRoom()
            return try await upload.advertisement(version2: version2)
        case .serve(.receivePack): return try await receive.receive(request, &body)
        case .serve(.uploadPack):
            // Before the body is read, so that those who wait hold nothing.
            let place: Gate.Place
            do throws(GitReceiverError) { place = try await self.core.fetches.enter() } catch {
                guard error.code == .busy else { throw error }
                try await body.discard(limit: self.core.configuration.limits.requestBytes)
                return UploadPack.refusal(error)
            }
            let bytes = try await body.collect(limit: self.core.configuration.limits.requestBytes)
            return try await upload.serve(bytes, version2: version2, in: place)
        }
    }

    // MARK: Repositories

    /// Makes an empty repository whose HEAD names ``Configuration/defaultBranch``.
    public func createRepository(_ name: String) async throws(GitReceiverError) {
        let name = try RepositoryName(name)
        try await self.core.pool.run { _ throws(GitReceiverError) in try self.core.repositories.create(name) }
    }

    /// Removes a repository with all its history. Waits for a push in progress, as pushes wait for each other.
    public func removeRepository(_ name: String) async throws(GitReceiverError) {
        let name = try RepositoryName(name)
        try await self.exclusively(name) { repositories throws(GitReceiverError) in try repositories.remove(name) }
    }

    /// Gives a repository another name. Waits for a push in progress, as pushes wait for each other.
    public func renameRepository(from: String, to: String) async throws(GitReceiverError) {
        let (from, to) = (try RepositoryName(from), try RepositoryName(to))
        try await self.exclusively(from) { repositories throws(GitReceiverError) in
            try repositories.rename(from, to: to)
        }
    }

    /// Whether there is a repository of this name.
    public func repositoryExists(_ name: String) -> Bool {
        guard let name = try? RepositoryName(name) else { return false }
        return self.core.repositories.exists(name)
    }

    /// The branches of a repository: names such as `main` … with the commits they are at.
    ///
    /// - Returns: Full reference names (`refs/heads/main`) and object identifiers of 40 hexadecimal digits.
    public func branches(of name: String) async throws(GitReceiverError) -> [String: String] {
        let name = try RepositoryName(name)
        return try await self.core.pool.run { _ throws(GitReceiverError) in
            let repository = try Repository(bareAt: try self.core.repositories.path(of: name))
            let refs = try repository.snapshot(peeling: false, limit: .max).refs
            return Dictionary(
                refs.filter { $0.name.hasPrefix("refs/heads/") }.map { ($0.name, $0.oid.description) }
            ) { first, _ in first }
        }
    }

    /// Writes the files of a commit that the repository has, as ``Push/export(commit:to:)`` does during a push.
    @discardableResult
    public func export(
        _ name: String, commit: String, to directory: FilePath
    ) async throws(GitReceiverError) -> ExportReport {
        try await self.core.export(try RepositoryName(name), quarantine: nil, commit: commit, to: directory)
    }

    /// Describes a commit that the repository has.
    public func commitInfo(_ name: String, commit: String) async throws(GitReceiverError) -> CommitInfo {
        try await self.core.commitInfo(try RepositoryName(name), quarantine: nil, commit: commit)
    }

    private func exclusively(
        _ name: RepositoryName, _ work: @escaping @Sendable (RepositoryStore) throws(GitReceiverError) -> Void
    ) async throws(GitReceiverError) {
        try await self.core.inTurn(name) { () throws(GitReceiverError) in
            try await self.core.pool.run { _ throws(GitReceiverError) in try work(self.core.repositories) }
        }
    }
}
