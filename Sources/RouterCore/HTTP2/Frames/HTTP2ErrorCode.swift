/// Why a stream or a connection ended (RFC 9113, section 7).
struct HTTP2ErrorCode: Hashable, CustomStringConvertible {
    var rawValue: UInt32

    init(rawValue: UInt32) { self.rawValue = rawValue }

    static let noError = Self(rawValue: 0)
    static let protocolError = Self(rawValue: 1)
    static let internalError = Self(rawValue: 2)
    static let flowControlError = Self(rawValue: 3)
    static let settingsTimeout = Self(rawValue: 4)
    static let streamClosed = Self(rawValue: 5)
    static let frameSizeError = Self(rawValue: 6)
    static let refusedStream = Self(rawValue: 7)
    static let cancel = Self(rawValue: 8)
    static let compressionError = Self(rawValue: 9)
    static let connectError = Self(rawValue: 10)
    static let enhanceYourCalm = Self(rawValue: 11)
    static let inadequateSecurity = Self(rawValue: 12)
    static let http11Required = Self(rawValue: 13)

    var description: String {
        switch self {
        case .noError: "NO_ERROR"
        case .protocolError: "PROTOCOL_ERROR"
        case .internalError: "INTERNAL_ERROR"
        case .flowControlError: "FLOW_CONTROL_ERROR"
        case .settingsTimeout: "SETTINGS_TIMEOUT"
        case .streamClosed: "STREAM_CLOSED"
        case .frameSizeError: "FRAME_SIZE_ERROR"
        case .refusedStream: "REFUSED_STREAM"
        case .cancel: "CANCEL"
        case .compressionError: "COMPRESSION_ERROR"
        case .connectError: "CONNECT_ERROR"
        case .enhanceYourCalm: "ENHANCE_YOUR_CALM"
        case .inadequateSecurity: "INADEQUATE_SECURITY"
        case .http11Required: "HTTP_1_1_REQUIRED"
        default: "\(self.rawValue)"
        }
    }
}

/// What ends the whole connection, and the sentence that says why.
struct HTTP2Failure: Error {
    var code: HTTP2ErrorCode
    var reason: StaticString

    init(_ code: HTTP2ErrorCode, _ reason: StaticString) {
        self.code = code
        self.reason = reason
    }
}
