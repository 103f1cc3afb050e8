internal import Hummingbird
internal import NIOCore
internal import PlatformKit

/// What is known about a request besides the request.
struct APIContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// The connection that it came by.
    let channel: any Channel
    /// Who sends it. Set by ``AccessMiddleware``, behind which all routes of the API are.
    var principal = Principal(name: "nobody", role: .read)

    init(source: Source) {
        self.coreContext = .init(source: source)
        self.channel = source.channel
    }

    /// A part of the path, percent-decoded.
    func parameter(_ name: String) throws -> String {
        guard let text = self.parameters.get(name).flatMap(percentDecoded) else {
            throw PlatformError(.invalid, "The path is not percent-encoded UTF-8.")
        }
        return text
    }

    /// A part of the path that is a number.
    func number(_ name: String) throws -> Int {
        let text = try self.parameter(name)
        guard let number = Int(text), number > 0 else {
            throw PlatformError(.invalid, "`\(text)` in the path is not a number from 1.")
        }
        return number
    }

    /// The application that the path names.
    var application: String { get throws { try self.parameter("app") } }
}

/// The text without percent-encoding; `nil` when that leaves no UTF-8.
func percentDecoded(_ text: String) -> String? {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
        guard byte == UInt8(ascii: "%") else {
            bytes.append(byte)
            continue
        }
        guard let digits = String(rest.prefix(2)), digits.utf8.count == 2, let decoded = UInt8(digits, radix: 16) else {
            return nil
        }
        bytes.append(decoded)
        rest = rest.dropFirst(2)
    }
    return String(validating: bytes, as: UTF8.self)
}
