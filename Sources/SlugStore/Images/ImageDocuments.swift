#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Lists images.
package struct ImageIndex: Codable, Sendable {
    var schemaVersion = 2
    package var mediaType: String? = ImageMediaType.index
    package var manifests: [ImageDescriptor] = []
}

/// Lists the parts of an image.
package struct ImageManifest: Codable, Sendable {
    var schemaVersion = 2
    package var mediaType: String? = ImageMediaType.manifest
    package var config: ImageDescriptor
    package var layers: [ImageDescriptor]
    var annotations: [String: String]?
}

/// How an image is run, and what its layers are without their compression.
struct ImageConfiguration: Codable, Sendable {
    struct Process: Codable, Sendable {
        var user: String?
        var exposedPorts: [String: [String: String]]?
        var environment: [String]?
        var entryPoint: [String]?
        var command: [String]?
        var workingDirectory: String?
        var labels: [String: String]?
        var stopSignal: String?

        enum CodingKeys: String, CodingKey {
            case user = "User"
            case exposedPorts = "ExposedPorts"
            case environment = "Env"
            case entryPoint = "Entrypoint"
            case command = "Cmd"
            case workingDirectory = "WorkingDir"
            case labels = "Labels"
            case stopSignal = "StopSignal"
        }
    }

    struct RootFileSystem: Codable, Sendable {
        var type = "layers"
        var layers: [String]

        enum CodingKeys: String, CodingKey {
            case type
            case layers = "diff_ids"
        }
    }

    struct Step: Codable, Sendable {
        var created: String?
        var author: String?
        var createdBy: String?
        var comment: String?
        var isEmpty: Bool?

        enum CodingKeys: String, CodingKey {
            case created, author, comment
            case createdBy = "created_by"
            case isEmpty = "empty_layer"
        }
    }

    var created: String?
    var architecture: String
    var os: String
    var variant: String?
    var config: Process?
    var rootfs: RootFileSystem
    var history: [Step]?

    /// The time of everything in an image, so that equal slugs are equal images: the one that its files have.
    static let time = "1980-01-01T00:00:00Z"
}

/// Reads and writes the documents of images: the same value always has the same bytes.
package enum ImageDocument {
    /// More than any honest one has.
    package static let maxBytes: Int64 = 4 << 20

    static func encode(_ value: some Encodable) throws(SlugStoreError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return Array(try encoder.encode(value))
        } catch {
            throw SlugStoreError(code: .inputOutput, message: "Encoding a document of an image.", cause: error)
        }
    }

    package static func decode<Value: Decodable>(
        _ type: Value.Type, _ bytes: [UInt8], _ what: String
    ) throws(SlugStoreError) -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            throw SlugStoreError(code: .invalidArchive, message: "\(what) is not one of an image.", cause: error)
        }
    }
}
