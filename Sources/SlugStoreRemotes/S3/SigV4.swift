import Crypto

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// AWS Signature Version 4, for requests to S3: the path is encoded once, and every request says what its payload's hash is.
struct SigV4: Sendable {
    static let unsignedPayload = "UNSIGNED-PAYLOAD"

    var accessKeyID: String
    var secretAccessKey: String
    var sessionToken: String?
    var region: String
    var service = "s3"

    /// The header fields that make a request good, besides those that it has.
    /// - Parameters:
    ///   - path: Encoded.
    ///   - query: Not encoded, in any order.
    ///   - headers: All that are to be signed, `Host` among them.
    func headers(
        method: String, path: String, query: [(name: String, value: String)], headers: [(name: String, value: String)],
        payloadHash: String, date: Date
    ) -> [(name: String, value: String)] {
        let time = Self.time(date)
        var added = [("x-amz-content-sha256", payloadHash), ("x-amz-date", time)]
        if let sessionToken { added.append(("x-amz-security-token", sessionToken)) }
        let signed = (headers + added).map { ($0.0.lowercased(), Self.trimmed($0.1)) }.sorted { $0.0 < $1.0 }
        let names = signed.map(\.0).joined(separator: ";")
        let request = [
            method, path, Self.query(query), signed.map { "\($0):\($1)\n" }.joined(), names, payloadHash,
        ].joined(separator: "\n")
        let scope = "\(time.prefix(8))/\(self.region)/\(self.service)/aws4_request"
        let text = ["AWS4-HMAC-SHA256", time, scope, Self.hex(SHA256.hash(data: Array(request.utf8)))]
            .joined(separator: "\n")
        var key = SymmetricKey(data: Array("AWS4\(self.secretAccessKey)".utf8))
        for part in scope.split(separator: "/") {
            key = SymmetricKey(data: Array(HMAC<SHA256>.authenticationCode(for: Array(part.utf8), using: key)))
        }
        let signature = Self.hex(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key))
        added.append(
            (
                "Authorization",
                "AWS4-HMAC-SHA256 Credential=\(self.accessKeyID)/\(scope), SignedHeaders=\(names), Signature=\(signature)"
            ))
        return added.map { (name: $0.0, value: $0.1) }
    }

    /// A query with its names in order, encoded.
    static func query(_ query: [(name: String, value: String)]) -> String {
        query.map { "\(self.encoded($0.name))=\(self.encoded($0.value))" }.sorted().joined(separator: "&")
    }

    /// Everything but unreserved characters, in hexadecimal.
    static func encoded(_ text: String, keeping kept: Set<UInt8> = []) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                bytes.append(byte)
            case _ where kept.contains(byte): bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    static func hex(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// `20130524T000000Z`: by arithmetic, since formatters follow locales and time zones.
    static func time(_ date: Date) -> String {
        let seconds = Int(date.timeIntervalSince1970.rounded(.down))
        let (days, rest) = (Int((Double(seconds) / 86_400).rounded(.down)), ((seconds % 86_400) + 86_400) % 86_400)
        // Days since 1 March of the year 0, in eras of 400 years.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let day = shifted - era * 146_097
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365
        let dayOfYear = day - (365 * year + year / 4 - year / 100)
        let month = (5 * dayOfYear + 2) / 153
        func padded(_ number: Int, _ width: Int = 2) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, width - text.count)) + text
        }
        let (calendarMonth, calendarYear) = (
            month < 10 ? month + 3 : month - 9, year + era * 400 + (month < 10 ? 0 : 1)
        )
        return padded(calendarYear, 4) + padded(calendarMonth) + padded(dayOfYear - (153 * month + 2) / 5 + 1) + "T"
            + padded(rest / 3600) + padded(rest / 60 % 60) + padded(rest % 60) + "Z"
    }

    private static func trimmed(_ value: String) -> String {
        value.split(separator: " ").joined(separator: " ")
    }
}
