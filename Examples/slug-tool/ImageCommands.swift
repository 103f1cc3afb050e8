import SlugStore
import SlugStoreRemotes
import SystemPackage

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Slugs as container images and back, in a directory or a registry.
struct ImageCommands {
    let repository: any SlugRepository
    let places: Places

    /// Whether a path is a directory with images.
    static func isLayout(_ path: String) -> Bool { FileManager.default.fileExists(atPath: "\(path)/index.json") }

    /// - Returns: Whether it is a command of these.
    func run(_ command: String, _ arguments: Arguments) async throws -> Bool {
        let words = arguments.words
        switch (command, words.count) {
        case ("image", 2), ("image", 3):
            try arguments.allow([])
            let base = words.dropFirst(2).first.map { ImageBase(layout: FilePath($0)) }
            let report = try await self.repository.exportImage(
                try await SlugTool.find(words[0], in: self.repository), as: SlugImage(base: base),
                into: ImageLayout(directory: FilePath(words[1])))
            for (name, image) in report.images.sorted(by: { $0.key < $1.key }) { print(name, image.digest) }
            print(report.layers.count, "layers,", report.newLayers, "new")
        case ("push", 2):
            try await self.push(words[0], to: words[1], arguments)
        case ("pull", 1):
            try await self.pull(words[0], arguments)
        case ("import", 1):
            try arguments.allow(["name", "path", "platform", "keep-links"])
            try await self.take(ImageLayout(directory: FilePath(words[0])), arguments["name"], arguments)
        default:
            return false
        }
        return true
    }

    private func push(_ slug: String, to target: String, _ arguments: Arguments) async throws {
        try arguments.allow(["type", "base", "mount-from"])
        let reference = try ImageReference(target)
        guard reference.digest == nil else {
            throw Arguments.Unknown(description: "A push names a tag, not a digest.")
        }
        let store = try self.places.images(reference, mountableFrom: arguments["mount-from"].map { [$0] } ?? [])
        let id = try await SlugTool.find(slug, in: self.repository)
        try await self.places.withDirectory { directory in
            let layout = ImageLayout(directory: directory)
            let report = try await self.repository.exportImage(
                id, as: SlugImage(base: arguments["base"].map { ImageBase(layout: FilePath($0)) }), into: layout)
            // The tag that people use comes last: by then, all that belongs to it is there.
            var tags: [(image: String, tag: String)] = []
            if let type = arguments["type"] {
                tags = [(type, reference.name)]
            } else {
                tags = report.images.keys.filter { $0 != "latest" }.sorted().map { ($0, "\(reference.name)-\($0)") }
                tags.append(("latest", reference.name))
            }
            for (image, tag) in tags {
                let line = ProgressLine("sending \(tag)", "sent")
                _ = try await layout.copy(image, to: store, as: tag) { line.show($0) }
                line.end()
                print(
                    "\(reference.endpoint.authority)/\(reference.repository):\(tag)", report.images[image]?.digest ?? ""
                )
            }
        }
    }

    private func pull(_ source: String, _ arguments: Arguments) async throws {
        try arguments.allow(["path", "platform", "keep-links"])
        let reference = try ImageReference(source)
        let store = try self.places.images(reference)
        try await self.places.withDirectory { directory in
            let layout = ImageLayout(directory: directory)
            let line = ProgressLine("fetching \(reference.name.prefix(19))", "fetched")
            _ = try await store.fetch(
                reference.name, for: try self.platform(arguments), into: layout, as: "pulled"
            ) { line.show($0) }
            line.end()
            try await self.take(layout, "pulled", arguments)
        }
    }

    private func take(_ layout: ImageLayout, _ name: String?, _ arguments: Arguments) async throws {
        var options = ImageImport(path: arguments["path"])
        options.platform = try self.platform(arguments)
        options.keepsOutwardLinks = arguments["keep-links"] != nil
        let report = try await self.repository.importImage(
            name, from: layout, options: options, workingIn: Places.temporary)
        SlugTool.say(report.slug)
        if let origin = report.origin, origin != report.slug.id {
            SlugTool.warn("slug-tool: the image says that it is of \(origin), but it was changed since.")
        }
    }

    private func platform(_ arguments: Arguments) throws -> ImagePlatform {
        guard let text = arguments["platform"] else { return .current }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard (2...3).contains(parts.count), !parts.contains("") else {
            throw Arguments.Unknown(description: "\(text) is no platform: name one like linux/arm64.")
        }
        return ImagePlatform(architecture: parts[1], os: parts[0], variant: parts.count == 3 ? parts[2] : nil)
    }
}
