import Logging
import SystemPackage

/// The service `git-upload-pack`: clones and fetches, in versions 0 and 2 of the protocol.
struct UploadPack: Sendable {
    let core: ServerCore
    let name: RepositoryName

    func advertisement(version2: Bool) async throws(GitReceiverError) -> GitResponse {
        let (core, name) = (self.core, self.name)
        let bytes = try await core.pool.run { _ throws(GitReceiverError) in
            let path = try core.repositories.path(of: name)
            if version2 { return Advertisement.version2(agent: core.configuration.agent) }
            let snapshot = try Repository(bareAt: path).snapshot(peeling: true, limit: .max)
            return Advertisement.uploadPack(snapshot, agent: core.configuration.agent)
        }
        return .git("git-upload-pack-advertisement", .bytes(bytes))
    }

    /// Answers one request. What the client did wrong is told in an `ERR` packet, which git shows.
    func serve(_ body: [UInt8], version2: Bool, in place: Gate.Place) async throws -> GitResponse {
        do throws(GitReceiverError) {
            // Millions of bytes of a client's choice: not for the cooperative pool.
            let request = try await self.core.pool.run { _ throws(GitReceiverError) in
                try Self.parse(body, version2: version2)
            }
            switch request {
            case .nothing: return Self.result([])
            case .fetch(let fetch, version2: false): return try await self.version0(fetch, place)
            case .fetch(let fetch, version2: true): return try await self.version2(fetch, place)
            case .lsRefs(let arguments): return try await self.lsRefs(arguments)
            }
        } catch {
            if error.code == .cancelled { throw error }
            self.core.logger.info(
                "fetch refused",
                metadata: ["git.repository": "\(self.name.text)", "error": "\(error.cause ?? error)"])
            return Self.refusal(error)
        }
    }

    /// What the client's git shows as a remote error.
    static func refusal(_ error: GitReceiverError) -> GitResponse {
        Self.result(PktLine.encode("ERR \(ReceiveReport.line(error.message))\n"))
    }

    private static func result(_ bytes: [UInt8]) -> GitResponse { .git("git-upload-pack-result", .bytes(bytes)) }

    private enum Request: Sendable {
        case nothing
        case fetch(FetchRequest, version2: Bool)
        case lsRefs([String])
    }

    private static func parse(_ body: [UInt8], version2: Bool) throws(GitReceiverError) -> Request {
        var reader = PktLineReader()
        reader.append(body)
        var packets: [Packet] = []
        while let packet = try reader.next() { packets.append(packet) }
        guard reader.pendingCount == 0 else {
            throw GitReceiverError(.malformed, "The request is malformed: it ends too early.")
        }
        guard version2 else {
            let request = try FetchRequest(version0: packets)
            return request.wants.isEmpty ? .nothing : .fetch(request, version2: false)
        }
        guard let request = try CommandRequest(packets) else { return .nothing }
        switch request.command {
        case "ls-refs": return .lsRefs(request.arguments)
        case "fetch": return .fetch(try FetchRequest(arguments: request.arguments), version2: true)
        default:
            throw GitReceiverError(
                .unsupported, "This server does not know the command '\(request.command.prefix(40))'.")
        }
    }

    private func version0(
        _ request: FetchRequest, _ place: Gate.Place
    ) async throws(GitReceiverError) -> GitResponse {
        let outcome = try await self.negotiate(request) {
            (boundary, has, suffices) throws(GitReceiverError) in
            try Negotiation.version0(request, boundary: boundary, has: has, suffices: suffices)
        }
        return self.respond(request, outcome, place)
    }

    private func version2(
        _ request: FetchRequest, _ place: Gate.Place
    ) async throws(GitReceiverError) -> GitResponse {
        let outcome = try await self.negotiate(request) {
            (boundary, has, suffices) throws(GitReceiverError) in
            try Negotiation.version2(request, boundary: boundary, has: has, suffices: suffices)
        }
        return self.respond(request, outcome, place)
    }

    private func lsRefs(_ arguments: [String]) async throws(GitReceiverError) -> GitResponse {
        let (core, name) = (self.core, self.name)
        let bytes = try await core.pool.run { _ throws(GitReceiverError) in
            let repository = try Repository(bareAt: try core.repositories.path(of: name))
            return Advertisement.lsRefs(try repository.snapshot(peeling: true, limit: .max), arguments: arguments)
        }
        return Self.result(bytes)
    }

    private struct Decision: Sendable {
        var outcome: Negotiation.Outcome
        var boundary: ShallowBoundary
    }

    private typealias Has = (ObjectID) throws(GitReceiverError) -> Bool
    private typealias Suffices = ([ObjectID]) throws(GitReceiverError) -> Bool

    /// Checks the wants and runs the negotiation on a blocking thread.
    private func negotiate(
        _ request: FetchRequest,
        _ decide: @escaping @Sendable (ShallowBoundary, Has, Suffices) throws(GitReceiverError) -> Negotiation.Outcome
    ) async throws(GitReceiverError) -> Decision {
        let (core, name) = (self.core, self.name)
        return try await core.pool.run { flag throws(GitReceiverError) in
            let repository = try Repository(bareAt: try core.repositories.path(of: name))
            let selection = try Self.select(request, in: repository, core, flag).selection
            let boundary = try selection.boundary(request.shallow)
            let outcome = try decide(
                boundary,
                { oid throws(GitReceiverError) in
                    try flag.check()
                    return selection.has(oid)
                }, { common throws(GitReceiverError) in try selection.suffices(common) })
            return Decision(outcome: outcome, boundary: boundary)
        }
    }

    private static func select(
        _ request: FetchRequest, in repository: Repository, _ core: ServerCore, _ flag: CancellationFlag
    ) throws(GitReceiverError) -> (selection: FetchSelection, deadline: Deadline) {
        let limits = core.configuration.limits
        let deadline = Deadline(
            core.configuration.clock, limit: limits.fetchTime, what: "finding out what to send", flag: flag)
        let selection = try FetchSelection(
            repository, wants: request.wants, limit: limits.fetchObjects, deadline: deadline)
        return (selection, deadline)
    }

    /// Decides what is in the pack and how it is made. Blocks.
    private static func pack(
        _ request: FetchRequest, _ decision: Decision, in path: FilePath, _ core: ServerCore, _ flag: CancellationFlag
    ) throws(GitReceiverError) -> FetchedPack {
        // Held until the packs are open: nobody removes one before.
        let repository = try Repository(bareAt: path)
        defer { withExtendedLifetime(repository) {} }
        let (selection, deadline) = try Self.select(request, in: repository, core, flag)
        let missing = try selection.missing(request, common: decision.outcome.common, boundary: decision.boundary)
        // A pack that cannot be used as it lies there is libgit2's to read, or to complain of.
        let catalog = try PackCatalog(PackDirectory(repository: path), skipsDamaged: true)
        let contents = try catalog.find(missing.objects, held: missing.held) { () throws(GitReceiverError) in
            try deadline.check()
        }
        return try FetchedPack(
            contents, repository: path, usesOffsets: request.capabilities.has("ofs-delta"), core, flag: flag)
    }

    /// Sends the negotiation's packets, then the pack if it is time for it.
    private func respond(_ request: FetchRequest, _ decision: Decision, _ place: Gate.Place) -> GitResponse {
        let outcome = decision.outcome
        guard outcome.sendsPack else { return Self.result(outcome.reply) }
        let (core, name) = (self.core, self.name)
        return .git(
            "git-upload-pack-result",
            .stream { writer in
                defer { withExtendedLifetime(place) {} }
                let configuration = core.configuration
                let channel = SideBandChannel(
                    writer, usesBands: request.usesSideBand, clock: configuration.clock,
                    patience: configuration.limits.stallTime)
                // Band 1, as git does: an empty piece of the pack. From the first byte to the last, for they also find
                // the client that takes nothing; the first comes an interval after the reply has begun.
                try await channel.withKeepAlives(
                    every: configuration.keepAliveInterval, on: .data, clock: configuration.clock
                ) {
                    try await channel.sendRaw(outcome.reply)
                    do {
                        let pack = try await core.pool.run { flag throws(GitReceiverError) in
                            try Self.pack(request, decision, in: core.repositories.path(of: name), core, flag)
                        }
                        if !request.capabilities.has("no-progress") {
                            try await channel.send(Array("\(pack.summary)\n".utf8), on: .progress)
                        }
                        try await Self.send(pack, over: channel, core)
                    } catch let error as GitReceiverError where ![.cancelled, .clientGone].contains(error.code) {
                        // The header is sent, so the band for errors is the only place left to say it.
                        core.logger.info(
                            "fetch cut off",
                            metadata: ["git.repository": "\(name.text)", "error": "\(error.cause ?? error)"])
                        try await channel.send(Array("\(error.message)\n".utf8), on: .error)
                        throw error
                    }
                    if request.usesSideBand { try await channel.sendRaw(PktLine.flush) }
                }
            })
    }

    private static func send(
        _ pack: FetchedPack, over channel: SideBandChannel, _ core: ServerCore
    ) async throws(GitReceiverError) {
        let configuration = core.configuration
        var pace = ClientPace(
            .takes, rate: configuration.limits.fetchRate, grace: configuration.limits.stallTime)
        while true {
            let piece = try await core.pool.run { flag throws(GitReceiverError) in try pack.next(flag: flag) }
            if piece.isEmpty { return }
            let stopwatch = Stopwatch(configuration.clock)
            try await channel.send(piece, on: .data)
            try pace.moved(piece.count, in: stopwatch.elapsed())
        }
    }
}
