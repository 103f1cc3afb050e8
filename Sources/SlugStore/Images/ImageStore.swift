public import SystemPackage

/// Where images are kept or sent to: a directory, a registry.
///
/// ## Promises a conformer keeps
/// - Content that is there already is not asked for again: ``contains(_:)`` says so.
/// - ``add(_:from:)`` throws unless all of the content is stored as its digest says.
/// - A name leads to the image that it was given last, once ``name(_:as:)`` has returned, and to a complete one at any time.
public protocol ImageStore: Sendable {
    /// Whether the content is stored.
    func contains(_ content: ImageDescriptor) async throws(SlugStoreError) -> Bool
    /// Stores content: a layer, a configuration or a manifest, by its ``ImageDescriptor/mediaType``. What it refers to has been
    /// added before.
    /// - Parameters:
    ///   - content: What it is, by its digest.
    ///   - file: A file with exactly the content.
    func add(_ content: ImageDescriptor, from file: FilePath) async throws(SlugStoreError)
    /// Gives an image a name, or another image that name.
    /// - Parameters:
    ///   - manifest: Has been added.
    ///   - name: What it is called from then on.
    func name(_ manifest: ImageDescriptor, as name: String) async throws(SlugStoreError)
}

extension ImageLayout {
    /// Copies an image with all that it consists of, what is there already excepted.
    /// - Parameters:
    ///   - name: The image in this layout.
    ///   - store: Where it goes.
    ///   - newName: What it is called there; the same if `nil`.
    /// - Returns: What was copied, in the order in which it was.
    public func copy(
        _ name: String, to store: some ImageStore, as newName: String? = nil
    ) async throws(SlugStoreError) -> [ImageDescriptor] {
        let image = try await self.image(named: name)
        var copied: [ImageDescriptor] = []
        for content in try await self.contents(of: image) where try await !store.contains(content) {
            try await store.add(content, from: try self.path(of: content))
            copied.append(content)
        }
        try await store.name(image, as: newName ?? name)
        return copied
    }
}
