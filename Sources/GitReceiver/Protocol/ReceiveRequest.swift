/// What a client asks of receive-pack, before the pack.
struct ReceiveRequest: Hashable, Sendable {
    struct Command: Hashable, Sendable {
        var name: String
        var old: ObjectID
        var new: ObjectID

        var isDeletion: Bool { self.new.isZero }
        var isCreation: Bool { self.old.isZero }
    }

    var commands: [Command] = []
    var shallow: Set<ObjectID> = []
    var options: [String] = []
    var capabilities = Capabilities()

    /// A lone `0000`, by which clients find out whether they may push before they send much.
    var isProbe: Bool { self.commands.isEmpty }
    var needsPack: Bool { self.commands.contains { !$0.isDeletion } }
    var reports: Bool { self.capabilities.has("report-status") || self.capabilities.has("report-status-v2") }
    var usesSideBand: Bool { self.capabilities.has("side-band-64k") }
    var isAtomic: Bool { self.capabilities.has("atomic") }
}

/// Reads a ``ReceiveRequest`` from packets; pure, so that tables and noise can test it.
struct ReceiveRequestParser: Sendable {
    struct Limits: Sendable {
        var commands = 10_000
        var options = 64
        var optionBytes = 4096
    }

    private enum State { case commands, options, finished }

    private(set) var request = ReceiveRequest()
    private var state = State.commands
    private var optionBytes = 0
    private let limits: Limits

    init(limits: Limits = Limits()) { self.limits = limits }

    /// Whether all packets are there; the pack follows.
    var isFinished: Bool { self.state == .finished }

    mutating func consume(_ packet: Packet) throws(GitReceiverError) {
        switch (self.state, packet) {
        case (.commands, .flush):
            let hasOptions = !self.request.isProbe && self.request.capabilities.has("push-options")
            self.state = hasOptions ? .options : .finished
        case (.commands, .data(let data)): try self.command(data)
        case (.options, .flush): self.state = .finished
        case (.options, .data(let data)): try self.option(data)
        default: throw GitReceiverError(.malformed, "The push is malformed: an unexpected packet.")
        }
    }

    private mutating func command(_ data: [UInt8]) throws(GitReceiverError) {
        var line = data[...]
        if line.starts(with: "shallow ".utf8) {
            guard let oid = ObjectID(hex: Packet.text(Array(line.dropFirst(8))).utf8) else {
                throw GitReceiverError(.malformed, "The push is malformed: a bad shallow line.")
            }
            guard self.request.shallow.count < self.limits.commands else {
                throw GitReceiverError(
                    .limitExceeded, "The push names more than \(self.limits.commands) shallow commits.")
            }
            self.request.shallow.insert(oid)
            return
        }
        if line.starts(with: "push-cert".utf8) {
            throw GitReceiverError(.unsupported, "This server does not take signed pushes; push without --signed.")
        }
        if let zero = line.firstIndex(of: 0) {
            if self.request.commands.isEmpty {
                self.request.capabilities = Capabilities(Packet.text(Array(line[(zero + 1)...])))
                try self.request.capabilities.requireSHA1()
            }
            line = line[..<zero]
        }
        let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 2, omittingEmptySubsequences: false)
        if fields.count == 3, fields[0].count == 64, fields[1].count == 64 { throw .objectFormat("sha256") }
        guard fields.count == 3, let old = ObjectID(hex: fields[0]), let new = ObjectID(hex: fields[1]),
            let name = String(validating: Packet.strip(fields[2]), as: UTF8.self), !name.isEmpty
        else { throw GitReceiverError(.malformed, "The push is malformed: a bad command line.") }
        guard self.request.commands.count < self.limits.commands else {
            throw GitReceiverError(
                .limitExceeded, "The push updates more than \(self.limits.commands) references; push fewer at once.")
        }
        self.request.commands.append(.init(name: name, old: old, new: new))
    }

    private mutating func option(_ data: [UInt8]) throws(GitReceiverError) {
        self.optionBytes += data.count
        guard self.request.options.count < self.limits.options, self.optionBytes <= self.limits.optionBytes else {
            throw GitReceiverError(
                .limitExceeded,
                "The push has more than \(self.limits.options) options or \(self.limits.optionBytes) bytes of them.")
        }
        self.request.options.append(Packet.text(data))
    }
}

extension Packet {
    /// The bytes without a final line feed.
    static func strip(_ data: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        data.last == UInt8(ascii: "\n") ? data.dropLast() : data
    }
}
