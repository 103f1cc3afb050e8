/// What an image refers to: content by its digest, its kind and its size.
public struct ImageDescriptor: Codable, Hashable, Sendable {
    /// What the content is, for example `application/vnd.oci.image.manifest.v1+json`.
    public var mediaType: String
    /// `sha256:` and 64 hexadecimal digits.
    public var digest: String
    /// The size of the content in bytes.
    public var size: Int64
    /// What is said about the content by whoever refers to it.
    public var annotations: [String: String]?
    /// Where an image can run, in an index.
    public var platform: ImagePlatform?

    /// Makes a descriptor.
    public init(
        mediaType: String, digest: String, size: Int64, annotations: [String: String]? = nil,
        platform: ImagePlatform? = nil
    ) {
        self.mediaType = mediaType
        self.digest = digest
        self.size = size
        self.annotations = annotations
        self.platform = platform
    }

    /// The digits of a digest that is one; they are the name of a file, so nothing else may be.
    var hex: String? {
        guard self.digest.hasPrefix("sha256:") else { return nil }
        return SlugID(self.digest)?.hex
    }
}

/// Where an image can run.
public struct ImagePlatform: Codable, Hashable, Sendable {
    /// The processor as Go names it: `amd64`, `arm64`.
    public var architecture: String
    /// The operating system: `linux`.
    public var os: String
    /// The processor's variant, for example `v8`.
    public var variant: String?

    /// Makes a platform.
    public init(architecture: String, os: String = "linux", variant: String? = nil) {
        self.architecture = architecture
        self.os = os
        self.variant = variant
    }

    /// The machine that this program was compiled for, with Linux as its system.
    public static var current: ImagePlatform {
        #if arch(arm64)
            ImagePlatform(architecture: "arm64")
        #elseif arch(x86_64)
            ImagePlatform(architecture: "amd64")
        #elseif arch(arm)
            ImagePlatform(architecture: "arm", variant: "v7")
        #else
            ImagePlatform(architecture: "unknown")
        #endif
    }
}

enum ImageMediaType {
    static let manifest = "application/vnd.oci.image.manifest.v1+json"
    static let index = "application/vnd.oci.image.index.v1+json"
    static let config = "application/vnd.oci.image.config.v1+json"
    static let layer = "application/vnd.oci.image.layer.v1.tar+gzip"
}

enum ImageAnnotation {
    /// What an image is called in a layout.
    static let name = "org.opencontainers.image.ref.name"
}
