/// A request as it reached the instance, or an answer as it reached the client.
struct SeenMessage: Sendable {
    var head: MessageHead
    var format: BodyFormat
    var body: MessageBody
    /// Everything of it, as it came.
    var wire: [UInt8]

    private init(_ head: MessageHead, _ format: BodyFormat, _ bytes: ArraySlice<UInt8>, ended: Bool) {
        self.head = head
        self.format = format
        let rest = bytes.dropFirst(head.length)
        self.body = MessageBody(rest, format: format, ended: ended)
        // Where a body ends that cannot be understood, or is not complete, all that came belongs to it.
        let length = self.body.isComplete ? head.length + self.body.length : bytes.count
        self.wire = Array(bytes.prefix(length))
    }

    /// What is in it that may not be sent.
    var problems: [String] { self.head.problems + [self.body.problem].compactMap(\.self) }

    // MARK: Requests

    static func request(_ bytes: ArraySlice<UInt8>, ended: Bool) -> SeenMessage? {
        guard var head = MessageHead(bytes) else { return nil }
        let parts = head.firstLine.split(separator: " ", omittingEmptySubsequences: false)
        if parts.count != 3 || !MessageHead.isToken(Array(parts[0].utf8)) || parts[1].isEmpty
            || !["HTTP/1.0", "HTTP/1.1"].contains(parts[2])
        {
            head.problems.append("'\(head.firstLine)' is no request line")
        }
        let hosts = head.values("Host").count
        if hosts > 1 || (hosts == 0 && parts.last == "HTTP/1.1") {
            head.problems.append("Host: \(head.values("Host"))")
        }
        let format = head.framing(otherwise: .none)
        return SeenMessage(head, format, bytes, ended: ended)
    }

    var target: String {
        String(self.head.firstLine.split(separator: " ").dropFirst().first ?? "")
    }

    // MARK: Answers

    /// - Parameter toHead: whether it answers a HEAD request, and therefore has no body.
    static func answer(_ bytes: ArraySlice<UInt8>, ended: Bool, toHead: Bool) -> SeenMessage? {
        guard var head = MessageHead(bytes) else { return nil }
        let line = Array(head.firstLine.utf8)
        let status = Self.status(head)
        let isStatusLine =
            (head.firstLine.hasPrefix("HTTP/1.1 ") || head.firstLine.hasPrefix("HTTP/1.0 "))
            && status >= 100 && line.count > 12 && line[12] == 0x20
        if !isStatusLine { head.problems.append("'\(head.firstLine)' is no status line") }
        var format = head.framing(otherwise: .untilClose)
        if status < 200 || status == 204 {
            if format != .untilClose { head.problems.append("\(status) with Content-Length or Transfer-Encoding") }
            format = .none
        } else if toHead || status == 304 {
            format = .none
        }
        return SeenMessage(head, format, bytes, ended: ended)
    }

    var status: Int { Self.status(self.head) }
    private static func status(_ head: MessageHead) -> Int { Int(head.firstLine.dropFirst(9).prefix(3)) ?? 0 }

    var isFinal: Bool { self.status >= 200 || self.status == 101 }

    /// Whether its sender says that it closes the connection.
    var announcesClose: Bool {
        self.head.has("Connection", option: "close") || self.format == .untilClose
            || (self.head.firstLine.hasPrefix("HTTP/1.0") && !self.head.has("Connection", option: "keep-alive"))
    }
}
