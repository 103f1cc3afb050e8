extension OpenAPIDocument {
    /// An object of members. Their types are those of JSON, `date`, `list` (of strings), `objects` (a list of them), `map` (of strings), `numbers` (a map
    /// of integers) or `changes` (a map of strings and nulls); with a question mark when a member may be missing.
    struct Schema {
        var members: [(name: String, type: String)]
        /// Another shape than an object of members.
        var other: JSONValue?
    }

    private static func object(_ members: KeyValuePairs<String, String>) -> Schema {
        Schema(members: members.map { ($0.key, $0.value) }, other: nil)
    }

    static func schema(_ schema: Schema) -> JSONValue {
        if let other = schema.other { return other }
        var properties: [String: JSONValue] = [:]
        var required: [JSONValue] = []
        for (name, type) in schema.members {
            if !type.hasSuffix("?") { required.append(.string(name)) }
            properties[name] = Self.type(type.hasSuffix("?") ? String(type.dropLast()) : type)
        }
        return ["type": "object", "properties": .object(properties), "required": .array(required)]
    }

    private static func type(_ name: String) -> JSONValue {
        switch name {
        case "date": ["type": "string", "format": "date-time"]
        case "list": Self.list(["type": "string"])
        case "objects": Self.list(["type": "object"])
        case "map": ["type": "object", "additionalProperties": ["type": "string"]]
        case "numbers": ["type": "object", "additionalProperties": ["type": "integer"]]
        case "changes": ["type": "object", "additionalProperties": ["type": ["string", "null"]]]
        default: ["type": .string(name)]
        }
    }

    /// Every value that the API takes or gives.
    static let schemas: [String: Schema] = [
        "ApplicationInfo": object([
            "name": "string", "createdAt": "date", "release": "integer?", "maintenance": "boolean", "url": "string",
            "gitURL": "string", "domains": "list", "formation": "numbers",
        ]),
        "ApplicationName": object(["name": "string"]),
        "MaintenanceChange": object(["enabled": "boolean"]),
        "DomainChange": object(["host": "string"]),
        "Domains": Schema(members: [], other: ["type": "array", "items": ["type": "string"]]),
        "Config": Schema(members: [], other: ["type": "object", "additionalProperties": ["type": "string"]]),
        "ConfigChange": object(["variables": "changes"]),
        "DeploymentInfo": object([
            "number": "integer", "state": "string", "description": "string", "author": "string", "commit": "string?",
            "release": "integer?", "cause": "string?", "createdAt": "date", "finishedAt": "date?",
        ]),
        "ReleaseInfo": object([
            "version": "integer", "slug": "string", "description": "string", "author": "string", "commit": "string?",
            "processTypes": "map", "configKeys": "list", "createdAt": "date", "isLive": "boolean",
            "isPinned": "boolean",
        ]),
        "SlugInfo": object([
            "id": "string", "files": "integer", "bytes": "integer", "newBytesStored": "integer", "createdAt": "date",
            "buildpacks": "list", "uses": "objects",
        ]),
        "SlugDifferenceInfo": object([
            "added": "integer", "removed": "integer", "changed": "integer", "bytesIn": "integer",
            "bytesOut": "integer", "entries": "objects",
        ]),
        "SlugCheckRequest": object(["share": "number?"]),
        "SlugCheckInfo": object(["slugs": "integer", "bytes": "integer", "damages": "list", "lostSlugs": "list"]),
        "SlugGarbageInfo": object(["slugs": "integer", "chunks": "integer", "bytes": "integer"]),
        "RollbackRequest": object(["version": "integer?"]),
        "InstanceInfo": object([
            "name": "string", "release": "integer", "state": "string", "pid": "integer?", "port": "integer?",
            "startedAt": "date?", "restarts": "integer", "lastExit": "string?", "lastProbe": "string?",
            "memoryBytes": "integer?", "isRouted": "boolean", "size": "string?",
        ]),
        "ScaleRequest": object(["quantities": "numbers", "sizes": "map?"]),
        "InstanceSelection": object(["target": "string?"]),
        "OneOffRequest": object([
            "command": "list", "environment": "map?", "detach": "boolean?", "keep": "boolean?",
            "timeoutSeconds": "integer?", "size": "string?", "terminal": "object?",
        ]),
        "OneOffMessage": object(["window": "object?", "endOfInput": "boolean?"]),
        "OneOffResult": object(["name": "string", "status": "integer?", "end": "string?"]),
        "OneOffInfo": object([
            "name": "string", "command": "list", "release": "integer", "author": "string", "startedAt": "date",
            "isAttached": "boolean", "hasTerminal": "boolean", "size": "string", "endsAt": "date?",
        ]),
        "LogLineInfo": object([
            "sequence": "integer", "timestamp": "date", "source": "string", "process": "string?", "text": "string",
        ]),
        "MetricsInfo": object([
            "windowSeconds": "number", "requests": "integer", "throughput": "number", "serverErrors": "integer",
            "clientErrors": "integer", "errorRate": "number", "p50Milliseconds": "number?",
            "p95Milliseconds": "number?",
            "p99Milliseconds": "number?", "cpuCores": "number", "memoryBytes": "integer", "instancesReady": "integer",
            "instancesWanted": "integer", "restarts": "integer", "errorsByCode": "numbers",
        ]),
        "CertificateInfo": object([
            "source": "string", "application": "string?", "hosts": "list", "servedHosts": "list", "state": "string",
            "subject": "string?", "issuer": "string?", "notBefore": "date?", "notAfter": "date?",
            "daysLeft": "integer?", "lastError": "string?", "nextOrder": "date?",
        ]),
        "CertificateUpload": object(["certificate": "string", "key": "string"]),
        "HTTPSInfo": object([
            "isServed": "boolean", "enforced": "boolean", "hstsSeconds": "integer?",
            "automaticCertificates": "boolean", "securedHosts": "list", "unsecuredHosts": "list",
        ]),
        "HTTPSChange": object([
            "enforced": "boolean?", "hstsSeconds": "integer?", "automaticCertificates": "boolean?",
        ]),
        "AuditEntry": object([
            "at": "date", "actor": "string", "action": "string", "application": "string?", "detail": "string",
        ]),
        "Problem": object(["type": "string", "title": "string", "status": "integer", "detail": "string"]),
    ]
}
