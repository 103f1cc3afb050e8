/// The service `git-receive-pack`: reads a push, then answers it.
struct ReceivePack: Sendable {
    let core: ServerCore
    let name: RepositoryName

    func advertisement() async throws(GitReceiverError) -> GitResponse {
        let (core, name) = (self.core, self.name)
        let bytes = try await core.pool.run { _ throws(GitReceiverError) in
            let repository = try Repository(bareAt: try core.repositories.path(of: name))
            let snapshot = try repository.snapshot(peeling: false, limit: .max)
            return Advertisement.receivePack(snapshot, agent: core.configuration.agent)
        }
        return .git("git-receive-pack-advertisement", .bytes(bytes))
    }

    /// Reads the whole body, its pack into quarantine, and returns the response that judges it.
    ///
    /// Throws `GitReceiverError` for requests that are no push at all, and what the transport throws.
    func receive<Source: AsyncIteratorProtocol>(
        _ request: GitRequest, _ body: inout BodyReader<Source>
    ) async throws -> GitResponse {
        let limits = self.core.configuration.limits
        var reader = PktLineReader()
        var parser = ReceiveRequestParser(
            limits: .init(
                commands: limits.commands, options: limits.pushOptions, optionBytes: limits.pushOptionBytes))
        var place: Gate.Place?
        do {
            try await self.readCommands(&reader, &parser, &body)
            if parser.request.needsPack { place = try await self.core.packs.enter() }
        } catch let error as GitReceiverError where error.code != .cancelled && parser.request.usesSideBand {
            // Git shows this band; it would not show the text of an HTTP error.
            try await body.discard(limit: limits.discardBytes)
            let packet = PktLine.encode([SideBandChannel.Band.error.rawValue] + Array("\(error.message)\n".utf8))
            return .git("git-receive-pack-result", .bytes(packet + PktLine.flush))
        }
        let push = parser.request
        if push.isProbe { return .git("git-receive-pack-result", .bytes([])) }

        var quarantine: Quarantine?
        var intake = PushSession.Intake.nothing
        if push.needsPack {
            do throws(GitReceiverError) {
                quarantine = try await self.core.pool.run { [core, name] _ throws(GitReceiverError) in
                    try Quarantine(in: try core.repositories.path(of: name))
                }
            } catch { intake = .failed(error) }
            if let quarantine, let place {
                intake = try await self.takePack(reader.takeRest(), &body, into: quarantine, place)
            }
            // The intake holds it from here on, or nobody: what is discarded may be sent slowly.
            place = nil
        }
        if case .failed = intake { try await body.discard(limit: limits.discardBytes) }
        let session = PushSession(
            core: self.core, name: self.name, request: push, pusher: request.pusher, id: self.core.makeID(),
            quarantine: quarantine, intake: intake)
        return .git("git-receive-pack-result", .stream { writer in try await session.run(writer) })
    }

    private func readCommands<Source: AsyncIteratorProtocol>(
        _ reader: inout PktLineReader, _ parser: inout ReceiveRequestParser, _ body: inout BodyReader<Source>
    ) async throws {
        let limit = self.core.configuration.limits.requestBytes
        while !parser.isFinished {
            guard let piece = try await body.next() else {
                throw GitReceiverError(.malformed, "The push is malformed: it ends before its commands do.")
            }
            reader.append(piece)
            while !parser.isFinished, let packet = try reader.next() { try parser.consume(packet) }
            guard body.received - reader.pendingCount <= limit else {
                throw GitReceiverError(.limitExceeded, "The push has more commands than this server takes.")
            }
        }
    }

    /// Feeds the pack to the indexer as it comes.
    private func takePack<Source: AsyncIteratorProtocol>(
        _ first: [UInt8], _ body: inout BodyReader<Source>, into quarantine: Quarantine, _ place: Gate.Place
    ) async throws -> PushSession.Intake {
        let (core, name) = (self.core, self.name)
        let intake = PackIntake(
            into: quarantine, place: place, library: core.library, limits: core.configuration.limits,
            objects: core.receivedObjects, clock: core.configuration.clock
        ) { () throws(GitReceiverError) in
            try Repository(bareAt: try core.repositories.path(of: name))
        }
        do {
            var piece: [UInt8]? = first
            while let bytes = piece {
                if !bytes.isEmpty {
                    try await core.pool.run { flag throws(GitReceiverError) in try intake.append(bytes, flag: flag) }
                }
                piece = try await body.next()
            }
            return .received(intake)
        } catch {
            try? await core.pool.run { _ in intake.abandon() }
            // A failure of the transport ends the request; there is nobody left to tell.
            guard let error = error as? GitReceiverError, error.code != .cancelled else {
                try? await core.pool.run { _ throws(GitReceiverError) in try quarantine.discard() }
                throw error
            }
            return .failed(error)
        }
    }
}
