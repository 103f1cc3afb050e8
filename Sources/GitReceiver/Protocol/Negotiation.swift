/// Finds out what a client has already, and what to answer. Pure: the repository is two questions.
struct Negotiation: Sendable {
    /// What comes out of one request.
    struct Outcome: Hashable, Sendable {
        /// The packets before the pack.
        var reply: [UInt8] = []
        /// Whether a pack follows.
        var sendsPack = false
        /// What both sides have.
        var common: [ObjectID] = []
    }

    /// Version 0, stateless: `ACK oid common` for each common object, `ready` once nothing more is needed.
    ///
    /// - Parameters:
    ///   - has: whether the repository has an object.
    ///   - suffices: whether every want has an ancestor among these.
    static func version0(
        _ request: FetchRequest, boundary: ShallowBoundary = ShallowBoundary(),
        has: (ObjectID) throws(GitReceiverError) -> Bool, suffices: ([ObjectID]) throws(GitReceiverError) -> Bool
    ) throws(GitReceiverError) -> Outcome {
        enum Style { case single, continues, detailed }
        let capabilities = request.capabilities
        let style: Style =
            capabilities.has("multi_ack_detailed") ? .detailed : capabilities.has("multi_ack") ? .continues : .single
        var outcome = Outcome()
        // A client that asks for another depth reads where its history ends before anything else, in every round.
        if request.shallow.isDeepening { outcome.reply = boundary.encoded + PktLine.flush }
        var ready = false
        for have in request.haves {
            if let have {
                guard try has(have) else { continue }
                outcome.common.append(have)
                switch style {
                case .detailed: outcome.reply += PktLine.encode("ACK \(have) common\n")
                case .continues: outcome.reply += PktLine.encode("ACK \(have) continue\n")
                case .single where outcome.common.count == 1: outcome.reply += PktLine.encode("ACK \(have)\n")
                case .single: break
                }
                continue
            }
            if style == .detailed, !ready, let last = outcome.common.last, try suffices(outcome.common) {
                outcome.reply += PktLine.encode("ACK \(last) ready\n")
                ready = true
            }
            if style != .single || outcome.common.isEmpty { outcome.reply += PktLine.encode("NAK\n") }
            if ready, capabilities.has("no-done"), let last = outcome.common.last {
                outcome.reply += PktLine.encode("ACK \(last)\n")
                outcome.sendsPack = true
                return outcome
            }
        }
        guard request.done else { return outcome }
        outcome.sendsPack = true
        if let last = outcome.common.last {
            if style != .single { outcome.reply += PktLine.encode("ACK \(last)\n") }
        } else {
            outcome.reply += PktLine.encode("NAK\n")
        }
        return outcome
    }

    /// Version 2: an acknowledgments section unless the client is done or has named nothing, then perhaps the packfile section.
    static func version2(
        _ request: FetchRequest, boundary: ShallowBoundary = ShallowBoundary(),
        has: (ObjectID) throws(GitReceiverError) -> Bool, suffices: ([ObjectID]) throws(GitReceiverError) -> Bool
    ) throws(GitReceiverError) -> Outcome {
        var outcome = Outcome()
        for case let have? in request.haves where try has(have) { outcome.common.append(have) }
        outcome.sendsPack = request.done || request.haves.isEmpty
        if !outcome.sendsPack {
            outcome.reply += PktLine.encode("acknowledgments\n")
            if outcome.common.isEmpty { outcome.reply += PktLine.encode("NAK\n") }
            for oid in outcome.common { outcome.reply += PktLine.encode("ACK \(oid)\n") }
            if !outcome.common.isEmpty, try suffices(outcome.common) {
                outcome.reply += PktLine.encode("ready\n") + PktLine.delimiter
                outcome.sendsPack = true
            } else {
                outcome.reply += PktLine.flush
            }
        }
        guard outcome.sendsPack else { return outcome }
        if !request.shallow.isEmpty {
            outcome.reply += PktLine.encode("shallow-info\n") + boundary.encoded + PktLine.delimiter
        }
        outcome.reply += PktLine.encode("packfile\n")
        return outcome
    }
}
