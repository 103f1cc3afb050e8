#if canImport(FoundationEssentials)
    package import FoundationEssentials
#else
    package import Foundation
#endif

/// The one way in which the API and its client write and read JSON: ISO-8601 dates with fractional seconds.
///
/// Both ends use this, so that a date survives the way to the millisecond whatever the defaults of a JSON library are.
package enum WireJSON {
    /// The bytes of a value, with sorted keys, so that equal values have equal bytes.
    package static func encode(_ value: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .custom { date, encoder in
            var container = encoder.singleValueContainer()
            try container.encode(Self.text(of: date))
        }
        return try encoder.encode(value)
    }

    /// The same for people: one line for each member.
    package static func encodeForPeople(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .custom { date, encoder in
            var container = encoder.singleValueContainer()
            try container.encode(Self.text(of: date))
        }
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// The value that some bytes stand for. Throws `DecodingError`, which names the member at fault.
    package static func decode<Value: Decodable>(_ type: Value.Type, from data: Data) throws -> Value {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .custom { decoder in
            let text = try decoder.singleValueContainer().decode(String.self)
            if let date = Self.date(of: text) { return date }
            throw DecodingError.dataCorrupted(
                DecodingError.Context(
                    codingPath: decoder.codingPath, debugDescription: "`\(text)` is not an ISO-8601 date and time."))
        }
        return try decoder.decode(type, from: data)
    }

    /// `2026-11-21T03:08:59.125Z`.
    package static func text(of date: Date) -> String {
        date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }

    /// The date that such a text stands for, with or without fractional seconds.
    package static func date(of text: String) -> Date? {
        if let date = try? Date.ISO8601FormatStyle(includingFractionalSeconds: true).parse(text) { return date }
        return try? Date.ISO8601FormatStyle(includingFractionalSeconds: false).parse(text)
    }
}
