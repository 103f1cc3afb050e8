public import SystemPackage

/// What an application's layers are put on: an image in a layout, for example one that `skopeo copy` has put there.
public struct ImageBase: Sendable, Hashable {
    /// The layout's directory.
    public var layout: FilePath
    /// The image's name in the layout; `nil` if there is only one, or for `latest` of several.
    public var name: String?

    /// Names a base.
    public init(layout: FilePath, name: String? = nil) {
        self.layout = layout
        self.name = name
    }

    /// Finds the image for a platform. Blocks.
    func read(for platform: ImagePlatform) throws(SlugStoreError) -> ResolvedImage {
        try ImageLayout(directory: self.layout).resolve(self.name, for: platform)
    }
}
