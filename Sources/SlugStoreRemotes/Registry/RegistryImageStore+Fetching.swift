public import SlugStore

extension RegistryImageStore {
    /// Brings an image into a layout: what that has is not fetched again. Every content is compared with its digest and size while
    /// it comes, at most about a megabyte of each is in memory, and after a failure it goes on from where it was.
    /// - Parameters:
    ///   - reference: A tag or a digest.
    ///   - platform: Which image it is if the reference is to several.
    ///   - layout: Where the image goes.
    ///   - name: What it is called there; the tag if `nil`.
    ///   - progress: Is called now and then, never twice at a time.
    /// - Returns: The image, as one for the platform alone.
    /// - Throws: `SlugStoreError.Code.notFound` if there is no such image, or none for the platform;
    ///   `SlugStoreError.Code.corrupted` if something is not what its digest says; `SlugStoreError.Code.limitExceeded`;
    ///   `SlugStoreError.Code.invalidAnswer`, `SlugStoreError.Code.unauthorised` and `SlugStoreError.Code.remoteUnavailable` of the
    ///   registry. Contents that are complete stay; no image refers to them.
    public func fetch(
        _ reference: String, for platform: ImagePlatform = .current, into layout: ImageLayout, as name: String? = nil,
        progress: (@Sendable (ImageProgress) -> Void)? = nil
    ) async throws(SlugStoreError) -> ImageDescriptor {
        let name = name ?? (reference.hasPrefix("sha256:") ? "latest" : reference)
        try ImageLayout.check(name)
        let (image, bytes) = try await self.find(reference, for: platform)
        let manifest = try ImageDocument.decode(ImageManifest.self, bytes, "The manifest \(image.digest)")
        let contents = manifest.layers + [manifest.config]
        try self.check(contents, of: image)
        let meter = ImageMeter(contents, progress)
        let (missing, repeated) = contents.separatingRepeated()
        for content in repeated { meter.found(content) }
        try await inParallel(missing, limit: self.configuration.contentsAtOnce) { content throws(SlugStoreError) in
            if try await layout.contains(content) { return meter.found(content) }
            try await self.fetch(content, into: layout, meter)
            meter.finished(content)
        }
        let writer = try await ImageContentWriter.begin(image, in: layout)
        try await writer.append(bytes)
        try await writer.finish()
        try await layout.name(image, as: name)
        return image
    }

    private func check(_ contents: [ImageDescriptor], of image: ImageDescriptor) throws(SlugStoreError) {
        func tooMuch(_ what: String) -> SlugStoreError {
            SlugStoreError(code: .limitExceeded, message: "The image \(image.digest) has \(what).")
        }
        guard contents.count <= self.configuration.maxContents else {
            throw tooMuch("\(contents.count) contents; the limit is \(self.configuration.maxContents) (maxContents)")
        }
        var rest = self.configuration.maxImageBytes
        for content in contents {
            try self.check(content)
            rest -= content.size
            guard rest >= 0 else {
                throw tooMuch("more than \(self.configuration.maxImageBytes) bytes, which is the limit (maxImageBytes)")
            }
        }
    }

    // MARK: Finding

    /// The manifest of a platform's image.
    private func find(
        _ reference: String, for platform: ImagePlatform
    ) async throws(SlugStoreError) -> (image: ImageDescriptor, bytes: [UInt8]) {
        guard ImageReference.isTag(reference) || SlugID(reference) != nil else {
            throw SlugStoreError(
                code: .notFound, message: "\"\(reference.prefix(140))\" is neither a tag nor a digest of an image.")
        }
        var (image, bytes) = try await self.document(reference)
        for _ in 0..<ImageResolution.maxDepth where ImageMediaType.indexes.contains(image.mediaType) {
            let index = try ImageDocument.decode(ImageIndex.self, bytes, "The index \(image.digest)")
            let chosen = try ImageResolution.choose(
                among: index.manifests, for: platform, "\(self.client.configuration.repository) as \(reference)")
            try self.check(chosen)
            (image, bytes) = try await self.document(chosen.digest)
            guard image.size == chosen.size, image.mediaType == chosen.mediaType else {
                throw SlugStoreError(
                    code: .corrupted,
                    message: "The manifest \(chosen.digest) is not of the kind or the size that the index says.")
            }
        }
        guard ImageMediaType.manifests.contains(image.mediaType) else {
            throw SlugStoreError(
                code: .invalidArchive,
                message: "\(reference) in \(self.client.configuration.repository) leads to lists of lists, more than "
                    + "\(ImageResolution.maxDepth) deep.")
        }
        image.platform = platform
        return (image, bytes)
    }

    /// What a manifest says that it is.
    private struct Kind: Decodable {
        var mediaType: String?
        var layers: [ImageDescriptor]?
        var manifests: [ImageDescriptor]?
    }

    private func document(
        _ reference: String
    ) async throws(SlugStoreError) -> (image: ImageDescriptor, bytes: [UInt8]) {
        let place = "\(reference) in \(self.client.configuration.repository)"
        let kinds = ImageMediaType.manifests.union(ImageMediaType.indexes)
        guard let stored = try await self.client.manifest(reference, accepting: kinds.sorted()) else {
            throw SlugStoreError(code: .notFound, message: "There is no image \(place).")
        }
        let kind = try ImageDocument.decode(Kind.self, stored.bytes, "The manifest \(place)")
        let said = stored.mediaType.prefix { $0 != ";" }.trimmingSpaces
        let mediaType = kind.mediaType ?? said
        guard kinds.contains(mediaType) else {
            throw SlugStoreError(
                code: .unsupportedFormat,
                message:
                    "\(place) is of the kind \(printable(mediaType.utf8.prefix(100))), which is not read: no image of the OCI or Docker."
            )
        }
        // What one reader takes for a list and another for an image is neither.
        guard said.isEmpty || said == mediaType,
            ImageMediaType.indexes.contains(mediaType)
                ? kind.layers == nil && kind.manifests != nil : kind.manifests == nil && kind.layers != nil
        else {
            throw SlugStoreError(
                code: .invalidAnswer,
                message:
                    "The manifest \(place) is \(printable(said.utf8.prefix(100))) by the registry, and something else by itself."
            )
        }
        return (
            ImageDescriptor(mediaType: mediaType, digest: stored.digest, size: Int64(stored.bytes.count)), stored.bytes
        )
    }

    // MARK: Contents

    private func fetch(
        _ content: ImageDescriptor, into layout: ImageLayout, _ meter: ImageMeter
    ) async throws(SlugStoreError) {
        let writer = try await ImageContentWriter.begin(content, in: layout)
        if content.size > 0 {
            try await self.client.streamBlob(
                content.digest, size: content.size, position: { writer.bytes }
            ) { piece throws(SlugStoreError) in
                try await writer.append(piece)
                meter.moved(writer.bytes, of: content)
            }
        }
        try await writer.finish()
    }
}

extension Substring {
    fileprivate var trimmingSpaces: String {
        String(self.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
