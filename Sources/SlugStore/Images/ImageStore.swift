import Synchronization
public import SystemPackage

/// Where images are kept or sent to: a directory, a registry.
///
/// ## Promises a conformer keeps
/// - Content that is there already is not asked for again: ``contains(_:)`` says so.
/// - Several contents may be added at the same time.
/// - ``add(_:from:progress:)`` throws unless all of the content is stored as its digest says.
/// - A name leads to the image that it was given last, once ``name(_:as:)`` has returned, and to a complete one at any time.
public protocol ImageStore: Sendable {
    /// Whether the content is stored.
    /// - Parameter content: What it is, by its digest.
    func contains(_ content: ImageDescriptor) async throws(SlugStoreError) -> Bool
    /// Stores content: a layer, a configuration or a manifest, by its ``ImageDescriptor/mediaType``. What it refers to has been
    /// added before.
    /// - Parameters:
    ///   - content: What it is, by its digest.
    ///   - file: A file with exactly the content.
    ///   - progress: Is called now and then with how many of its bytes were moved so far, never twice at a time. What a store finds
    ///     elsewhere need not be moved.
    func add(
        _ content: ImageDescriptor, from file: FilePath, progress: (@Sendable (Int64) -> Void)?
    ) async throws(SlugStoreError)
    /// Gives an image a name, or another image that name.
    /// - Parameters:
    ///   - manifest: Has been added.
    ///   - name: What it is called from then on.
    func name(_ manifest: ImageDescriptor, as name: String) async throws(SlugStoreError)
}

/// How far the copy of an image has come. The numbers only grow.
public struct ImageProgress: Sendable, Hashable {
    /// The size of all contents of the image in bytes; 0 until that is known.
    public var bytes: Int64
    /// Of those, bytes that were moved so far.
    public var bytesMoved: Int64
    /// Of those, bytes that were there already.
    public var bytesPresent: Int64

    /// Makes a progress report.
    public init(bytes: Int64 = 0, bytesMoved: Int64 = 0, bytesPresent: Int64 = 0) {
        self.bytes = bytes
        self.bytesMoved = bytesMoved
        self.bytesPresent = bytesPresent
    }
}

extension ImageLayout {
    /// Copies an image with all that it consists of, what is there already excepted. Layers go several at a time, then what refers to
    /// them. The name is given last, so that nobody there sees a part of the image.
    /// - Parameters:
    ///   - name: The image in this layout.
    ///   - store: Where it goes.
    ///   - newName: What it is called there; the same if `nil`.
    ///   - layersAtOnce: How many layers are copied at the same time, 1 at least.
    ///   - progress: Is called now and then, never twice at a time.
    /// - Returns: What was copied, in the image's order.
    /// - Throws: ``SlugStoreError/Code/notFound`` if there is no such image; ``SlugStoreError/Code/corrupted`` and
    ///   ``SlugStoreError/Code/invalidArchive`` if something in the layout is not what its manifest says; and what the store
    ///   throws.
    public func copy(
        _ name: String, to store: some ImageStore, as newName: String? = nil, layersAtOnce: Int = 4,
        progress: (@Sendable (ImageProgress) -> Void)? = nil
    ) async throws(SlugStoreError) -> [ImageDescriptor] {
        let image = try await self.image(named: name)
        let contents = try await self.contents(of: image)
        let meter = ImageMeter(contents, progress)
        let copied = Mutex<Set<String>>([])
        let copy: @Sendable (ImageDescriptor) async throws(SlugStoreError) -> Void = { content throws(SlugStoreError) in
            if try await store.contains(content) { return meter.found(content) }
            try await BlockingWork.run { (_) throws(SlugStoreError) in try self.check(content) }
            try await store.add(content, from: try self.path(of: content)) { meter.moved($0, of: content) }
            meter.finished(content)
            copied.withLock { _ = $0.insert(content.digest) }
        }
        // The configuration and the manifest come last. A layer may be in an image twice.
        let (layers, repeated) = contents.dropLast(2).separatingRepeated()
        try await inParallel(layers, limit: layersAtOnce, copy)
        for layer in repeated { meter.found(layer) }
        for content in contents.suffix(2) { try await copy(content) }
        try await store.name(image, as: newName ?? name)
        return copied.withLock { copied in contents.filter { copied.remove($0.digest) != nil } }
    }
}

extension Sequence<ImageDescriptor> {
    /// The contents in their order, and those of them that had come before.
    package func separatingRepeated() -> (first: [ImageDescriptor], repeated: [ImageDescriptor]) {
        var known: Set<String> = []
        var (first, repeated): ([ImageDescriptor], [ImageDescriptor]) = ([], [])
        for content in self {
            // One of another size is not the same, and will be found out.
            if known.insert("\(content.digest) \(content.size)").inserted {
                first.append(content)
            } else {
                repeated.append(content)
            }
        }
        return (first, repeated)
    }
}
