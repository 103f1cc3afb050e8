import Logging
import Synchronization
import SystemPackage

/// One push from its received pack to its report.
final class PushSession: Sendable {
    /// What the objects of the push came to.
    enum Intake: Sendable {
        /// Only deletions, which need no objects.
        case nothing
        /// A pack that has still to be indexed, which may take long: the client gets keep-alives meanwhile.
        case received(PackIntake)
        case failed(GitReceiverError)
    }

    let core: ServerCore
    let name: RepositoryName
    let request: ReceiveRequest
    let pusher: String?
    let id: String
    let quarantine: Quarantine?
    let intake: Intake
    let logger: Logger

    init(
        core: ServerCore, name: RepositoryName, request: ReceiveRequest, pusher: String?, id: String,
        quarantine: Quarantine?, intake: Intake
    ) {
        self.core = core
        self.name = name
        self.request = request
        self.pusher = pusher
        self.id = id
        self.quarantine = quarantine
        self.intake = intake
        var logger = core.logger
        logger[metadataKey: "git.repository"] = "\(name.text)"
        logger[metadataKey: "git.push"] = "\(id)"
        self.logger = logger
    }

    /// Judges the push and streams progress and report.
    func run(_ writer: any GitBodyWriter) async throws {
        let configuration = self.core.configuration
        let channel = SideBandChannel(
            writer, usesBands: self.request.usesSideBand, clock: configuration.clock,
            patience: configuration.limits.stallTime)
        do {
            try await channel.withKeepAlives(
                every: configuration.keepAliveInterval, on: .progress, clock: configuration.clock
            ) {
                let report = try await self.judge(channel)
                if self.request.reports { try await channel.send(report.encoded(), on: .data) }
                if self.request.usesSideBand { try await channel.sendRaw(PktLine.flush) }
            }
        } catch {
            await self.discard()
            self.logger.info("push cut off", metadata: ["error": "\(error)"])
            throw error
        }
        await self.discard()
    }

    private func discard() async {
        guard let quarantine = self.quarantine else { return }
        do {
            try await self.core.pool.run { _ throws(GitReceiverError) in try quarantine.discard() }
        } catch {
            // The next start sweeps it.
            self.logger.info("the quarantine was not removed", metadata: ["error": "\(error.cause ?? error)"])
        }
    }

    private func judge(_ channel: SideBandChannel) async throws -> ReceiveReport {
        var pack: FilePath?
        switch self.intake {
        case .nothing: break
        case .failed(let error): return self.unpackFailed(error)
        case .received(let intake):
            do throws(GitReceiverError) {
                let hasObjects = try await self.core.pool.run { flag throws(GitReceiverError) in
                    try intake.finish(flag: flag)
                }
                if hasObjects { pack = self.quarantine?.path }
            } catch {
                if error.code == .cancelled { throw error }
                return self.unpackFailed(error)
            }
        }
        let objects = pack
        do {
            return try await self.core.queue.withTurn(self.name) {
                try await channel.send(Array("Waiting for another push to finish.\n".utf8), on: .progress)
            } body: {
                try await self.judgeInTurn(objects, channel)
            }
        } catch let error as GitReceiverError where error.code == .busy || error.code == .deadlineExceeded {
            return self.report(Array(repeating: error.message, count: self.request.commands.count))
        }
    }

    private func judgeInTurn(_ pack: FilePath?, _ channel: SideBandChannel) async throws -> ReceiveReport {
        let checked: Checked
        // What the check finds in the repository has to be there until the references change; this process's own
        // maintenance waits for its turn, another's for this lock.
        let reader: HeldLock?
        do throws(GitReceiverError) {
            reader = try await self.core.pool.run { [core, name] _ throws(GitReceiverError) in
                try HeldLock(core.repositories.path(of: name).appending(Repository.readersLock), shared: true)
            }
            checked = try await self.core.pool.run { flag throws(GitReceiverError) in try self.check(pack, flag) }
        } catch {
            if error.code == .cancelled { throw error }
            return self.unpackFailed(error)
        }
        defer { withExtendedLifetime(reader) {} }
        var refusals = self.request.isAtomic ? RefRules.atomically(checked.refusals) : checked.refusals
        let updates = zip(checked.updates, refusals).filter { $0.1 == nil }.map(\.0)
        guard !updates.isEmpty else { return self.report(refusals) }
        try Task.checkCancellation()

        let verdict = try await self.verdict(on: updates, pack, channel)
        for (index, update) in checked.updates.enumerated() where refusals[index] == nil {
            switch verdict {
            case .accept: break
            case .reject(let reason): refusals[index] = reason
            case .perRef(let reasons):
                refusals[index] = reasons[update.name] ?? .some("the server did not decide about this reference")
            }
        }
        if self.request.isAtomic { refusals = RefRules.atomically(refusals) }
        guard refusals.contains(where: { $0 == nil }) else { return self.report(refusals) }

        // From here on nothing is cancelled: the handler has accepted, and may have put the commit to work.
        let decided = refusals
        do throws(GitReceiverError) {
            refusals = try await self.core.pool.run { _ throws(GitReceiverError) in
                try self.apply(decided, pack)
            }
        } catch {
            self.logger.info("an accepted push was not stored", metadata: ["error": "\(error.cause ?? error)"])
            refusals = decided.map { $0 ?? error.message }
        }
        return self.report(refusals)
    }

    /// Asks the handler. What it throws becomes the reason of a refusal, unless the client has gone.
    private func verdict(
        on updates: [RefUpdate], _ pack: FilePath?, _ channel: SideBandChannel
    ) async throws -> PushVerdict {
        let source = QuarantineSource(session: self, pack: pack)
        defer { source.close() }
        let push = Push(
            repository: self.name.text, updates: updates, options: self.request.options, pusher: self.pusher,
            id: self.id, source: source)
        do {
            return try await self.core.handler.receive(push, progress: SideBandProgress(channel: channel))
        } catch let error as GitReceiverError where ![.cancelled, .clientGone].contains(error.code) {
            self.logger.info("push handler failed", metadata: ["error": "\(error.cause ?? error)"])
            return .reject(reason: error.message)
        } catch {
            if Task.isCancelled || error is CancellationError || error is GitReceiverError { throw error }
            self.logger.info("push handler failed", metadata: ["error": "\(error)"])
            return .reject(reason: "the server failed to process the push; its log says why")
        }
    }

    private func unpackFailed(_ error: GitReceiverError) -> ReceiveReport {
        self.logger.info("push refused", metadata: ["reason": "\(error.message)", "cause": "\(error.cause ?? error)"])
        return ReceiveReport(
            unpackFailure: error.message, results: self.request.commands.map { ($0.name, "unpacker error") })
    }

    private func report(_ refusals: [String?]) -> ReceiveReport {
        ReceiveReport(results: zip(self.request.commands, refusals).map { ($0.name, $1) })
    }
}
