internal import HTTPTypes
internal import Hummingbird
internal import PlatformWire

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

extension Response {
    /// A value as JSON.
    static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        .bytes(try WireJSON.encode(value), type: "application/json", status: status)
    }

    /// Text.
    static func text(_ text: String, type: String = "text/plain; charset=utf-8") -> Response {
        .bytes(text.utf8, type: type, status: .ok)
    }

    /// An RFC 9457 problem document.
    static func problem(_ problem: Problem) -> Response {
        // A problem is four plain members, which always encode; the status alone says enough if ever not.
        let document = (try? WireJSON.encode(problem)) ?? Data()
        var response = Response.bytes(
            document, type: "application/problem+json", status: HTTPResponse.Status(code: problem.status))
        switch problem.status {
        case 401: response.headers[.wwwAuthenticate] = #"Bearer realm="slipway""#
        case 503: response.headers[.retryAfter] = "1"
        default: break
        }
        return response
    }

    private static func bytes(
        _ bytes: some Sequence<UInt8>, type: String, status: HTTPResponse.Status
    ) -> Response {
        Response(
            status: status, headers: [.contentType: type], body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}
