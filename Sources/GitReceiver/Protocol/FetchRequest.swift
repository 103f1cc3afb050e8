/// What a client wants and has, in either version of the protocol.
struct FetchRequest: Hashable, Sendable {
    /// The wanted objects, in the client's order.
    var wants: [ObjectID] = []
    /// The objects that the client has, in its order; a nil ends a round (version 0 only).
    var haves: [ObjectID?] = []
    /// The client wants its pack now.
    var done = false
    var capabilities = Capabilities()
    var shallow = ShallowRequest()
    /// The client wants no files but those that it names; it asks for others when it needs them.
    var omitsBlobs = false

    var includesTags: Bool { self.capabilities.has("include-tag") }
    var usesSideBand: Bool { self.capabilities.has("side-band-64k") }

    /// Reads version 0: wants, a flush, rounds of haves that end with a flush, perhaps `done`.
    init(version0 packets: [Packet]) throws(GitReceiverError) {
        var seenFlush = false
        for packet in packets {
            switch packet {
            case .flush:
                if self.done { continue }
                if seenFlush { self.haves.append(nil) } else { seenFlush = true }
            case .data(let data):
                let line = Packet.text(data)
                if self.done { continue }
                if line == "done" {
                    self.done = true
                } else if line.hasPrefix("want "), !seenFlush {
                    if self.wants.isEmpty {
                        self.capabilities = Capabilities(line.dropFirst(5 + 40))
                        try self.capabilities.requireSHA1()
                    }
                    self.wants.append(try Self.oid(line.dropFirst(5).prefix { $0 != " " }))
                } else if !seenFlush, try self.consume(line) {
                } else if line.hasPrefix("have "), seenFlush {
                    self.haves.append(try Self.oid(line.dropFirst(5)))
                } else {
                    throw Self.unexpected(line)
                }
            default: throw GitReceiverError(.malformed, "The fetch is malformed: an unexpected packet.")
            }
        }
        self.shallow.isRelative = self.capabilities.has("deepen-relative")
        try self.shallow.validate()
    }

    /// A line that means the same in both versions.
    private mutating func consume(_ line: String) throws(GitReceiverError) -> Bool {
        if try self.shallow.consume(line) { return true }
        guard line.hasPrefix("filter ") else { return false }
        guard line == "filter blob:none" else {
            throw GitReceiverError(
                .unsupported, "This server knows the filter blob:none and no other; use --filter=blob:none, or none.")
        }
        self.omitsBlobs = true
        return true
    }

    /// Reads the arguments of version 2's `fetch`.
    init(arguments: [String]) throws(GitReceiverError) {
        var flags: [String] = ["side-band-64k"]
        for line in arguments {
            if line.hasPrefix("want ") {
                self.wants.append(try Self.oid(line.dropFirst(5)))
            } else if line.hasPrefix("have ") {
                self.haves.append(try Self.oid(line.dropFirst(5)))
            } else if line == "done" {
                self.done = true
            } else if ["thin-pack", "no-progress", "include-tag", "ofs-delta"].contains(line) {
                flags.append(line)
            } else if try !self.consume(line) {
                throw Self.unexpected(line)
            }
        }
        self.capabilities = Capabilities(flags.joined(separator: " "))
        try self.shallow.validate()
    }

    private static func oid(_ text: Substring) throws(GitReceiverError) -> ObjectID {
        guard let oid = ObjectID(hex: text.utf8) else {
            if text.utf8.count == 64 { throw .objectFormat("sha256") }
            throw GitReceiverError(.malformed, "The fetch is malformed: an object identifier is not 40 digits.")
        }
        return oid
    }

    private static func unexpected(_ line: String) -> GitReceiverError {
        GitReceiverError(
            .malformed,
            "The fetch is malformed: '\(ReceiveReport.line(String(line.prefix(40))))' is no argument of it.")
    }
}

/// One command of protocol version 2.
struct CommandRequest: Hashable, Sendable {
    var command = ""
    var capabilities = Capabilities()
    var arguments: [String] = []

    /// Reads `command=…`, capabilities, a delimiter, arguments, a flush. Nil for a lone flush: the client is done.
    init?(_ packets: [Packet]) throws(GitReceiverError) {
        var words: [String] = []
        var inArguments = false
        for packet in packets {
            switch packet {
            case .data(let data):
                let line = Packet.text(data)
                if inArguments { self.arguments.append(line) } else { words.append(line) }
            case .delimiter where !inArguments: inArguments = true
            case .flush:
                if words.isEmpty { return nil }
                guard let command = words.first(where: { $0.hasPrefix("command=") }) else {
                    throw GitReceiverError(.malformed, "The request is malformed: it has no command.")
                }
                self.command = String(command.dropFirst(8))
                self.capabilities = Capabilities(words.joined(separator: " "))
                try self.capabilities.requireSHA1()
                return
            default: throw GitReceiverError(.malformed, "The request is malformed: an unexpected packet.")
            }
        }
        throw GitReceiverError(.malformed, "The request is malformed: it ends too early.")
    }
}
