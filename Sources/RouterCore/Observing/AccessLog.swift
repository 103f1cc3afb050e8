/// Writes a line for each request, or for a share of them and for every one that went wrong.
///
/// ```
/// at=2026-03-01T12:00:00.123Z method=GET host=shop.example.com path=/cart status=200 app=shop instance=web.1 bytes=1532
///     total=12.4ms queue=0ms connect=0ms first=11.9ms retries=0 id=6f1f… trace=4bf9… code=upstream-timeout
/// ```
///
/// Lines are made on the router's loop and handed to `write` some at a time; it must return at once.
public struct AccessLog: RequestObserver {
    private let share: Double
    private let edit: (@Sendable (inout RequestRecord) -> Void)?
    private let write: @Sendable (String) -> Void

    /// Makes a log.
    ///
    /// - Parameters:
    ///   - share: how many of the requests that went well are written, from 0 to 1: all. Which ones follows from their
    ///     identifiers, so that routers one behind the other write the same.
    ///   - edit: changes what is written of a request, such as identities into names; nil for nothing.
    ///   - write: takes lines, each with its end.
    public init(
        share: Double = 1, edit: (@Sendable (inout RequestRecord) -> Void)? = nil,
        write: @escaping @Sendable (String) -> Void
    ) {
        self.share = share
        self.edit = edit
        self.write = write
    }

    /// Writes the lines of these.
    public func requestsFinished(_ requests: RequestBatch) {
        var lines = ""
        for var request in requests where self.isWritten(request) {
            self.edit?(&request)
            Self.append(request, to: &lines)
        }
        if !lines.isEmpty { self.write(lines) }
    }

    private func isWritten(_ request: RequestRecord) -> Bool {
        if self.share >= 1 || request.errorCode != nil || request.status >= 500 { return true }
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in request.requestID.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return Double(hash >> 11) / Double(1 << 53) < self.share
    }

    private static func append(_ request: RequestRecord, to lines: inout String) {
        lines += "at=\(self.time(request.endedAt)) method=\(request.method) host=\(self.plain(request.host))"
        lines += " path=\(self.plain(request.path)) status=\(request.status)"
        if let application = request.application { lines += " app=\(self.plain(application))" }
        if let backend = request.backend { lines += " instance=\(self.plain(backend.rawValue))" }
        lines += " bytes=\(request.responseBytes) total=\(self.milliseconds(request.total))"
        lines += " queue=\(self.milliseconds(request.queue)) connect=\(self.milliseconds(request.connect))"
        lines += " first=\(self.milliseconds(request.firstByte)) retries=\(request.retries) id=\(request.requestID)"
        if let trace = request.traceID { lines += " trace=\(trace)" }
        if let code = request.errorCode { lines += " code=\(code)" }
        lines += "\n"
    }

    /// A value in which nothing can be taken for the next one.
    private static func plain(_ text: String) -> String {
        // Beyond ASCII are line ends, controls and marks that turn the direction of text.
        let text = text.utf8.contains { $0 > 0x7E } ? self.escaped(text) : text
        let isPlain = text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C && $0 != 0x3D }
        guard !isPlain else { return text.isEmpty ? "\"\"" : text }
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F: quoted += "?"
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    private static func escaped(_ text: String) -> String {
        var escaped: [UInt8] = []
        let digits = Array("0123456789ABCDEF".utf8)
        for byte in text.utf8 {
            if byte > 0x7E {
                escaped += [0x25, digits[Int(byte >> 4)], digits[Int(byte & 0xF)]]
            } else {
                escaped.append(byte)
            }
        }
        return String(decoding: escaped, as: UTF8.self)
    }

    private static func milliseconds(_ duration: Duration) -> String {
        let tenths = duration.nanosecondsClamped / 100_000
        return tenths % 10 == 0 ? "\(tenths / 10)ms" : "\(tenths / 10).\(tenths % 10)ms"
    }

    /// As ISO 8601 writes it.
    private static func time(_ sinceEpoch: Duration) -> String {
        let milliseconds = sinceEpoch.nanosecondsClamped / 1_000_000
        func digits(_ number: Int, _ count: Int) -> String {
            let text = "\(number)"
            return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
        }
        let seconds = Int(milliseconds / 1000)
        let (year, month, day) = HTTPDate.civil(seconds / 86_400)
        return "\(digits(year, 4))-\(digits(month, 2))-\(digits(day, 2))T\(digits(seconds / 3600 % 24, 2)):"
            + "\(digits(seconds / 60 % 60, 2)):\(digits(seconds % 60, 2)).\(digits(Int(milliseconds % 1000), 3))Z"
    }
}
