package import SystemPackage

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// A git work tree, as far as the client needs it: where it is, and which application its remote `slipway` means.
package struct WorkTree: Sendable, Equatable {
    /// The directory that holds `.git`.
    package var root: FilePath
    /// The file with the remotes. Linked work trees share their repository's.
    package var configPath: FilePath

    /// The name of the remote that `slipway apps create` adds.
    package static let remoteName = "slipway"

    /// Finds the work tree that a directory lies in. `nil` when there is none.
    package static func containing(_ directory: FilePath) -> WorkTree? {
        var directory = directory
        while true {
            if let gitDirectory = Self.gitDirectory(of: directory.appending(".git"), in: directory) {
                return WorkTree(root: directory, configPath: Self.commonDirectory(of: gitDirectory).appending("config"))
            }
            guard directory.removeLastComponent(), !directory.isEmpty else { return nil }
        }
    }

    /// The application that the remote `slipway` leads to, if there is that remote.
    package var application: String? {
        guard let text = Self.text(of: self.configPath) else { return nil }
        return GitConfig(parsing: text).url(ofRemote: Self.remoteName).flatMap(Self.application(inRemoteURL:))
    }

    /// `blog` for `http://127.0.0.1:8081/git/blog.git`.
    package static func application(inRemoteURL url: String) -> String? {
        var path = url.prefix { $0 != "?" && $0 != "#" }
        while path.last == "/" { path.removeLast() }
        guard let slash = path.lastIndex(of: "/") else { return nil }
        var name = path[path.index(after: slash)...]
        if name.hasSuffix(".git") { name.removeLast(4) }
        return name.isEmpty ? nil : String(name)
    }

    /// `.git` is the repository, or in linked work trees and submodules a file that says where it is.
    private static func gitDirectory(of path: FilePath, in directory: FilePath) -> FilePath? {
        if FileManager.default.fileExists(atPath: path.appending("HEAD").string) { return path }
        guard let text = Self.text(of: path), text.hasPrefix("gitdir:") else { return nil }
        return directory.pushing(FilePath(Self.firstLine(text.dropFirst("gitdir:".count))))
    }

    private static func commonDirectory(of gitDirectory: FilePath) -> FilePath {
        guard let text = Self.text(of: gitDirectory.appending("commondir")) else { return gitDirectory }
        return gitDirectory.pushing(FilePath(Self.firstLine(text[...]))).lexicallyNormalized()
    }

    private static func firstLine(_ text: Substring) -> String {
        let line = text.drop { $0 == " " }.prefix { !$0.isNewline }
        return String(line)
    }

    private static func text(of path: FilePath) -> String? {
        // The limit keeps a wrong path (a device, a huge file) from being read whole.
        guard let file = try? FileDescriptor.open(path, .readOnly) else { return nil }
        let bytes = try? file.closeAfter {
            try [UInt8](unsafeUninitializedCapacity: 1 << 20) { buffer, count in
                count = try file.read(into: UnsafeMutableRawBufferPointer(buffer))
            }
        }
        return bytes.map { String(decoding: $0, as: UTF8.self) }
    }
}
