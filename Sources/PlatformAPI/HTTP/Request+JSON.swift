internal import Hummingbird
internal import HummingbirdCore
internal import NIOCore
internal import PlatformKit
internal import PlatformWire

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

extension Request {
    /// The value that the JSON in the body stands for. Refuses anything else in words that name the member at fault.
    func json<Value: Decodable>(_ type: Value.Type, limit: Int) async throws -> Value {
        let buffer = try await self.body.collect(upTo: limit)
        return try Self.decode(type, from: Data(buffer.readableBytesView))
    }

    static func decode<Value: Decodable>(_ type: Value.Type, from data: Data) throws(PlatformError) -> Value {
        do {
            return try WireJSON.decode(type, from: data)
        } catch let error as DecodingError {
            throw PlatformError(.invalid, Self.explanation(of: error))
        } catch {
            throw PlatformError(.invalid, "The body is not JSON.")
        }
    }

    private static func explanation(of error: DecodingError) -> String {
        switch error {
        case .keyNotFound(let key, let context):
            "The body has no member `\(Self.path(context.codingPath + [key]))`."
        case .valueNotFound(_, let context):
            "The member `\(Self.path(context.codingPath))` must not be null."
        case .typeMismatch(let type, let context):
            context.codingPath.isEmpty
                ? "The body is not a JSON object."
                : "The member `\(Self.path(context.codingPath))` is not \(Self.name(of: type))."
        case .dataCorrupted(let context):
            context.codingPath.isEmpty
                ? "The body is not JSON." : "The member `\(Self.path(context.codingPath))` is not valid."
        @unknown default:
            "The body is not what this operation takes."
        }
    }

    private static func path(_ keys: [any CodingKey]) -> String {
        keys.map { key in key.intValue.map { "\($0)" } ?? key.stringValue }.joined(separator: ".")
    }

    /// Types as JSON knows them.
    private static func name(of type: any Any.Type) -> String {
        switch type {
        case is String.Type: "a string"
        case is Bool.Type: "true or false"
        case is any BinaryInteger.Type, is any BinaryFloatingPoint.Type: "a number"
        case is any Collection.Type:
            type is [String: String].Type || type is [String: Int].Type ? "an object" : "a list"
        default: "what it should be"
        }
    }
}

/// The items of a query, each checked when it is asked for.
struct Query {
    private let items: FlatDictionary<Substring, Substring>

    init(_ request: Request) {
        self.items = request.uri.queryParameters
    }

    /// The first value of an item that is not empty.
    func text(_ name: String) -> String? {
        self.items[name[...]].flatMap { $0.isEmpty ? nil : String($0) }
    }

    /// All values of an item; `nil` when there is none.
    func texts(_ name: String) -> Set<String>? {
        let values = Set(self.items[values: name[...]].filter { !$0.isEmpty }.map { String($0) })
        return values.isEmpty ? nil : values
    }

    /// A number within limits; `standard` when it is not given.
    func number(_ name: String, in range: ClosedRange<Int>, standard: Int) throws(PlatformError) -> Int {
        guard let text = self.text(name) else { return standard }
        guard let number = Int(text), range.contains(number) else {
            throw PlatformError(
                .invalid, "`\(name)` in the query is a number from \(range.lowerBound) to \(range.upperBound).")
        }
        return number
    }

    /// Whether a switch is on: `1`, `true`, or named without a value.
    func flag(_ name: String) -> Bool {
        guard let value = self.items[name[...]] else { return false }
        return value.isEmpty || value == "1" || value == "true"
    }
}
