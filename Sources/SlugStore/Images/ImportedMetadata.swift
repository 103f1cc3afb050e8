#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What the configuration of an image is as the metadata of a slug. Decides; touches no file.
struct ImportedMetadata {
    private(set) var metadata = SlugMetadata()

    private let process: ImageConfiguration.Process
    /// The directory of the image that is imported; `nil` for all of it.
    private let root: TreePath?
    private let contents: ArchiveTree

    /// - Throws: ``SlugStoreError/Code/invalidArchive`` if what the image says about itself cannot be read.
    init(_ image: ImageConfiguration, root: TreePath?, contents: ArchiveTree) throws(SlugStoreError) {
        self.process = image.config ?? ImageConfiguration.Process()
        self.root = root
        self.contents = contents
        let labels = self.process.labels ?? [:]
        if let own = labels[ImageLabel.metadata] {
            self.metadata = try ImageDocument.decode(
                SlugMetadata.self, Array(own.utf8), "The label \(ImageLabel.metadata)")
            try Self.check(self.metadata)
            return
        }
        var metadata = SlugMetadata()
        metadata.labels = labels.filter { !$0.key.hasPrefix("io.slipway.") }
        metadata.buildpacks =
            labels[ImageLabel.buildpacks]?.split(separator: ",").map(String.init)
            ?? CloudNativeBuild(labels)?.buildpacks?.map(\.id) ?? []
        if let environment = self.process.environment, !environment.isEmpty {
            metadata.labels[ImageLabel.environment] = String(
                decoding: try ImageDocument.encode(environment), as: UTF8.self)
        }
        for (label, value) in [
            (ImageLabel.workingDirectory, self.process.workingDirectory), (ImageLabel.user, self.process.user),
        ] where value?.isEmpty == false {
            metadata.labels[label] = value
        }
        for (type, command) in self.commands(labels) {
            metadata.processTypes[type] = command
        }
        try Self.check(metadata)
        self.metadata = metadata
    }

    private func commands(_ labels: [String: String]) -> [String: String] {
        if let processes = CloudNativeBuild(labels)?.processes, !processes.isEmpty {
            return Dictionary(
                processes.filter { Self.isType($0.type) }.compactMap { process in
                    let words = process.command.words + (process.args ?? [])
                    guard !words.isEmpty else { return nil }
                    // What is not direct is text for a shell.
                    let isText = process.direct == false && words.count == 1
                    return (
                        process.type,
                        self.command(
                            isText ? ["/bin/sh", "-c"] + words : words,
                            in: process.workingDirectory ?? self.process.workingDirectory)
                    )
                }
            ) { first, _ in first }
        }
        let words = (self.process.entryPoint ?? []) + (self.process.command ?? [])
        guard !words.isEmpty else { return [:] }
        let type = labels[ImageLabel.processType].flatMap { Self.isType($0) ? $0 : nil }
        return [type ?? "web": self.command(words, in: self.process.workingDirectory)]
    }

    /// Refuses what no honest image says, and terminals and programs would obey or stumble over.
    private static func check(_ metadata: SlugMetadata) throws(SlugStoreError) {
        func check(_ text: String, isLong: Bool = false, _ what: String) throws(SlugStoreError) {
            // Scripts have lines.
            let allowed: Set<Unicode.Scalar> = isLong ? ["\t", "\n", "\r"] : []
            guard
                let scalar = text.unicodeScalars.first(where: {
                    $0.properties.generalCategory == .control && !allowed.contains($0)
                })
            else { return }
            throw SlugStoreError(
                code: .invalidArchive,
                message: "The image's \(what) has \(scalar.value == 0 ? "a NUL" : "a control character") in it.")
        }
        for (type, command) in metadata.processTypes {
            guard Self.isType(type) else {
                throw SlugStoreError(
                    code: .invalidArchive,
                    message: "The image names \(printable(type.utf8.prefix(80))), which cannot be a process type.")
            }
            try check(command, isLong: true, "command for \(type)")
        }
        for (label, value) in metadata.labels {
            let shown = printable(label.utf8.prefix(80))
            try check(label, "label \(shown)")
            try check(value, isLong: true, "label \(shown)")
        }
        for buildpack in metadata.buildpacks { try check(buildpack, "list of buildpacks") }
    }

    private static func isType(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 63
            && name.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20) || byte == 0x2d || byte == 0x5f
            }
    }

    // MARK: Commands

    /// Arguments as text for a shell that runs in the slug.
    private func command(_ arguments: [String], in workingDirectory: String?) -> String {
        let directory = self.directory(workingDirectory)
        let shells: Set = ["/bin/sh", "/bin/bash", "sh", "bash"]
        var script: String?
        if arguments.count == 3, shells.contains(arguments[0]), arguments[1] == "-c" {
            script = arguments[2]
        } else if arguments.count == 5, arguments[0] == "/bin/sh", arguments[3] == "slipway" {
            // As `ImageEntryPoint` writes it.
            script = arguments[4]
        }
        if let script {
            // A line of its own, as `cd there && one & two` would run `two` here.
            return directory.map { "cd \(Self.quoted($0)) || exit\n\(script)" } ?? script
        }
        var words = arguments
        if let program = words.first { words[0] = self.program(program, from: directory) }
        let text = words.map(Self.quoted).joined(separator: " ")
        return directory.map { "cd \(Self.quoted($0)) && \(text)" } ?? text
    }

    /// The program by its path in the slug, if it is a file of it.
    private func program(_ path: String, from directory: String?) -> String {
        guard path.hasPrefix("/"), let inside = self.inside(path), !inside.bytes.isEmpty,
            let node = self.contents.nodes[inside], node != .directory
        else { return path }
        // From where it is started.
        let up = directory.map { String(repeating: "../", count: $0.utf8.split(separator: TreePath.slash).count) }
        let name = String(decoding: inside.bytes, as: UTF8.self)
        return (up ?? (name.contains("/") ? "" : "./")) + name
    }

    /// A working directory of the image in the slug, unless it is the slug's root or elsewhere.
    private func directory(_ path: String?) -> String? {
        guard let path, path.hasPrefix("/"), let inside = self.inside(path),
            !inside.bytes.isEmpty, self.contents.nodes[inside] == .directory
        else { return nil }
        return String(decoding: inside.bytes, as: UTF8.self)
    }

    /// Where something of the image is in the slug; without bytes for the slug's root, `nil` for what is elsewhere.
    private func inside(_ path: String) -> TreePath? {
        let components = path.utf8.split(separator: TreePath.slash).filter { !$0.elementsEqual([0x2e]) }
        guard !components.contains(where: { $0.elementsEqual([0x2e, 0x2e]) }) else { return nil }
        let full = TreePath(unchecked: Array(components.map(Array.init).joined(separator: [TreePath.slash])))
        guard let root, full != root else { return self.root == nil ? full : TreePath(unchecked: []) }
        return full.isBelow(root) ? TreePath(unchecked: Array(full.bytes[(root.bytes.count + 1)...])) : nil
    }

    private static func quoted(_ word: String) -> String {
        let isPlain = word.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20) || "_@%+=:,./-".utf8.contains(byte)
        }
        return isPlain && !word.isEmpty
            ? word : "'\(word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''"))'"
    }
}

/// What the lifecycle of Cloud Native Buildpacks writes about a build into the label `io.buildpacks.build.metadata`, as far as it is
/// of use here (platform specification 0.12).
private struct CloudNativeBuild: Decodable {
    struct Buildpack: Decodable {
        var id: String
    }

    struct Process: Decodable {
        var type: String
        var command: Command
        var args: [String]?
        var direct: Bool?
        var workingDirectory: String?

        enum CodingKeys: String, CodingKey {
            case type, command, args, direct
            case workingDirectory = "working-dir"
        }
    }

    /// A list of words, or before version 0.10 a text.
    struct Command: Decodable {
        var words: [String]

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let word = try? container.decode(String.self) {
                self.words = [word]
            } else {
                self.words = try container.decode([String].self)
            }
        }
    }

    var processes: [Process]?
    var buildpacks: [Buildpack]?

    /// `nil` if the image is not of such a build, or says it in a way of its own.
    init?(_ labels: [String: String]) {
        guard let text = labels["io.buildpacks.build.metadata"],
            let build = try? JSONDecoder().decode(Self.self, from: Data(text.utf8))
        else { return nil }
        self = build
    }
}
