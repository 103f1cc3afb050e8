/// How a case file spells bytes.
///
/// A line is sent as it is written, with a CRLF behind it, except for:
/// - `\r`, `\n`, `\t`, `\0`, `\s` (a space), `\\`, `\xHH`;
/// - `\{N*text}`: the text N times;
/// - `\` at the end of the line: no CRLF behind it.
enum CaseText {
    static func bytes(_ text: String) throws(CaseFileError) -> (bytes: [UInt8], endsLine: Bool) {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                bytes.append(byte)
                continue
            }
            guard let escape = rest.popFirst() else { return (bytes, false) }
            switch escape {
            case UInt8(ascii: "r"): bytes.append(0x0D)
            case UInt8(ascii: "n"): bytes.append(0x0A)
            case UInt8(ascii: "t"): bytes.append(0x09)
            case UInt8(ascii: "0"): bytes.append(0x00)
            case UInt8(ascii: "s"): bytes.append(0x20)
            case UInt8(ascii: "\\"): bytes.append(escape)
            case UInt8(ascii: "x"):
                guard let byte = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
                    throw CaseFileError("'\\x' needs two hexadecimal digits: \(text)")
                }
                rest = rest.dropFirst(2)
                bytes.append(byte)
            case UInt8(ascii: "{"):
                guard let star = rest.firstIndex(of: UInt8(ascii: "*")),
                    let end = rest[star...].firstIndex(of: UInt8(ascii: "}")),
                    let count = Int(String(decoding: rest[..<star], as: UTF8.self))
                else { throw CaseFileError("A repetition is written '\\{N*text}': \(text)") }
                let (part, _) = try self.bytes(String(decoding: rest[(star + 1)..<end], as: UTF8.self))
                for _ in 0..<count { bytes += part }
                rest = rest[(end + 1)...]
            default:
                throw CaseFileError("'\\\(Character(Unicode.Scalar(escape)))' means nothing: \(text)")
            }
        }
        return (bytes, true)
    }

    /// The bytes as text, one character each.
    static func latin1(_ bytes: some Sequence<UInt8>) -> String {
        var text = String.UnicodeScalarView()
        text.append(contentsOf: bytes.lazy.map { Unicode.Scalar($0) })
        return String(text)
    }

    /// The bytes for a person to read.
    static func readable(_ bytes: some Collection<UInt8>) -> String {
        var text = ""
        for byte in bytes.prefix(1500) {
            switch byte {
            case 0x0D: text += "\\r"
            case 0x0A: text += "\\n\n"
            case 0x20..<0x7F: text.unicodeScalars.append(Unicode.Scalar(byte))
            default: text += "\\x" + String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
            }
        }
        return bytes.count > 1500 ? text + "… (\(bytes.count) bytes)" : text
    }
}

/// What is wrong with a case file.
struct CaseFileError: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}
