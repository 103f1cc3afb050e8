internal import PlatformKit
internal import PlatformWire

/// The description of the API in the OpenAPI format, made of ``operations`` and ``schemas``, which are written by hand.
enum OpenAPIDocument {
    /// What an operation answers when all went well.
    enum Answer {
        /// A schema.
        case value(String)
        /// A list of a schema.
        case list(String)
        /// Lines of JSON: events, the last one with a result of this schema.
        case events(String)
        /// A list as the result of a stream of events.
        case eventsOfList(String)
        /// Lines of JSON of a schema.
        case lines(String)
        /// Plain text.
        case text
        /// An archive.
        case archive
        /// No content.
        case nothing
    }

    /// One operation of the API.
    struct Operation {
        var method: String
        /// Below `/api/v1`.
        var path: String
        var summary: String
        var role: Role
        var query: [(name: String, description: String)] = []
        /// The schema of the body; `archive` for an uploaded archive.
        var body: String?
        var answer: Answer
        var status = "200"
    }

    /// The document as JSON.
    static func text() -> String {
        // Plain values, which always encode.
        (try? WireJSON.encodeForPeople(Self.document)) ?? "{}"
    }

    private static var document: JSONValue {
        var paths: [String: JSONValue] = [:]
        for operation in Self.operations {
            let path = "/api/v1" + operation.path
            var item: [String: JSONValue] = [:]
            if case .object(let existing)? = paths[path] { item = existing }
            item[operation.method] = Self.value(of: operation)
            paths[path] = .object(item)
        }
        return [
            "openapi": "3.1.0",
            "info": [
                "title": "Slipway", "version": "1",
                "description": .string(
                    """
                    Applications, releases and instances of a Slipway host. Operations that take a while answer with a stream \
                    of events, a line of JSON each; closing the connection cancels them.
                    """),
            ],
            "security": [["token": []]],
            "paths": .object(paths),
            "components": [
                "securitySchemes": ["token": ["type": "http", "scheme": "bearer"]],
                "schemas": .object(Self.schemas.mapValues(Self.schema)),
                "responses": [
                    "Problem": [
                        "description": "Refused or failed.",
                        "content": ["application/problem+json": ["schema": Self.reference("Problem")]],
                    ]
                ],
            ],
        ]
    }

    private static func value(of operation: Operation) -> JSONValue {
        let names = operation.path.split(separator: "/").filter { $0.hasPrefix("{") }.map { $0.dropFirst().dropLast() }
        var parameters: [JSONValue] = names.map { name in
            let isNumber = name == "number" || name == "version"
            return [
                "name": .string(String(name)), "in": "path", "required": true,
                "schema": ["type": isNumber ? "integer" : "string"],
            ]
        }
        for item in operation.query {
            parameters.append([
                "name": .string(item.name), "in": "query", "description": .string(item.description),
                "schema": ["type": "string"],
            ])
        }
        if operation.method != "get" {
            parameters.append([
                "name": "Idempotency-Key", "in": "header",
                "description":
                    "Sent again, the same request is answered as the first time. Streams take no notice of it.",
                "schema": ["type": "string"],
            ])
        }
        var value: [String: JSONValue] = [
            "summary": .string(operation.summary),
            "description": .string("Needs the role \(operation.role.rawValue)."),
            "parameters": .array(parameters),
            "responses": [
                operation.status: Self.response(operation.answer),
                "default": ["$ref": "#/components/responses/Problem"],
            ],
        ]
        if operation.body == "archive" {
            var content = Self.archive
            if case .object(var types) = content {
                types["application/zip"] = Self.file
                content = .object(types)
            }
            value["requestBody"] = ["required": true, "content": content]
        } else if let body = operation.body {
            value["requestBody"] = [
                "required": true, "content": ["application/json": ["schema": Self.reference(body)]],
            ]
        }
        return .object(value)
    }

    private static func response(_ answer: Answer) -> JSONValue {
        switch answer {
        case .value(let name):
            ["description": "Done.", "content": ["application/json": ["schema": Self.reference(name)]]]
        case .list(let name):
            ["description": "Done.", "content": ["application/json": ["schema": Self.list(Self.reference(name))]]]
        case .events(let name):
            Self.stream(of: Self.event(Self.reference(name)))
        case .eventsOfList(let name):
            Self.stream(of: Self.event(Self.list(Self.reference(name))))
        case .lines(let name):
            Self.stream(of: Self.reference(name))
        case .text:
            ["description": "Done.", "content": ["text/plain": ["schema": ["type": "string"]]]]
        case .archive:
            ["description": "Done.", "content": Self.archive]
        case .nothing:
            ["description": "Done."]
        }
    }

    private static let file: JSONValue = ["schema": ["type": "string", "format": "binary"]]
    private static let archive: JSONValue = [
        "application/x-tar": file, "application/gzip": file, "application/zstd": file,
    ]

    private static func stream(of schema: JSONValue) -> JSONValue {
        [
            "description": "Lines of JSON, each of this schema, as they come. Empty lines mean nothing.",
            "content": ["application/x-ndjson": ["schema": schema]],
        ]
    }

    /// An event has one of these members; `result` and `problem` are the end.
    private static func event(_ result: JSONValue) -> JSONValue {
        [
            "type": "object",
            "properties": [
                "line": ["type": "string", "description": "Progress, for people. An empty one means nothing."],
                "output": ["type": "string", "format": "byte", "description": "Output of a one-off, in Base64."],
                "result": result, "problem": Self.reference("Problem"),
            ],
        ]
    }

    static func list(_ items: JSONValue) -> JSONValue { ["type": "array", "items": items] }
    static func reference(_ name: String) -> JSONValue { ["$ref": .string("#/components/schemas/\(name)")] }
}
