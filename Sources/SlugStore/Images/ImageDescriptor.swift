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

/// What the contents of images are called. Docker's names are read, and never written.
package enum ImageMediaType {
    package static let manifest = "application/vnd.oci.image.manifest.v1+json"
    package static let index = "application/vnd.oci.image.index.v1+json"
    static let config = "application/vnd.oci.image.config.v1+json"
    static let layer = "application/vnd.oci.image.layer.v1.tar+gzip"

    package static let manifests: Set = [manifest, "application/vnd.docker.distribution.manifest.v2+json"]
    package static let indexes: Set = [index, "application/vnd.docker.distribution.manifest.list.v2+json"]

    /// How layers of each kind are compressed.
    static let layers: [String: ArchiveCompression] = [
        "application/vnd.oci.image.layer.v1.tar": .none, layer: .gzip,
        "application/vnd.oci.image.layer.v1.tar+zstd": .zstd,
        "application/vnd.docker.image.rootfs.diff.tar": .none,
        "application/vnd.docker.image.rootfs.diff.tar.gzip": .gzip,
        "application/vnd.docker.image.rootfs.diff.tar.zstd": .zstd,
    ]
}

enum ImageAnnotation {
    /// What an image is called in a layout.
    static let name = "org.opencontainers.image.ref.name"
}

/// Labels of images that are ours.
enum ImageLabel {
    /// The identifier of the slug that the image was made of.
    static let slug = "io.slipway.slug"
    /// All that the slug says about itself, as JSON.
    static let metadata = "io.slipway.metadata"
    static let processType = "io.slipway.process-type"
    static let buildpacks = "io.slipway.buildpacks"
    /// What the configuration of an image that became a slug said, for which slugs have no place of their own.
    static let (environment, workingDirectory, user) = (
        "io.slipway.image.environment", "io.slipway.image.working-directory", "io.slipway.image.user"
    )
}
