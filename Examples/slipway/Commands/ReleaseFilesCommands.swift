import ArgumentParser
import Foundation
import PlatformClient
import PlatformWire
import SystemPackage

/// What can be asked about the files of releases.
extension ReleasesCommand {
    struct Pin: ApplicationCommand {
        static let configuration = CommandConfiguration(
            abstract: "Keep a release to go back to, however many come after it.")
        @Argument(help: "The release: v3 or 3.") var release: ReleaseArgument
        @OptionGroup var app: ApplicationOption
        @OptionGroup var host: HostOptions

        func run(_ session: ClientSession, application: String) async throws {
            let release = try await session.api.setPin(true, of: self.release.version, of: application)
            try session.terminal.printLine("v\(release.version) is pinned.")
        }
    }

    struct Unpin: ApplicationCommand {
        static let configuration = CommandConfiguration(abstract: "Let a pinned release grow old as others do.")
        @Argument(help: "The release: v3 or 3.") var release: ReleaseArgument
        @OptionGroup var app: ApplicationOption
        @OptionGroup var host: HostOptions

        func run(_ session: ClientSession, application: String) async throws {
            let release = try await session.api.setPin(false, of: self.release.version, of: application)
            try session.terminal.printLine("v\(release.version) is not pinned.")
        }
    }

    struct Diff: ApplicationCommand {
        static let configuration = CommandConfiguration(
            abstract: "List what a release changed in the files of the application.",
            discussion: "+ is new, - is gone, ~ is not what it was.")
        @Argument(help: "The release: v3 or 3.") var release: ReleaseArgument
        @Option(help: ArgumentHelp("The release to compare with. (default: the one before)", valueName: "release"))
        var from: ReleaseArgument?
        @Option(name: [.customShort("n"), .customLong("num")], help: ArgumentHelp("How many entries.", valueName: "n"))
        var limit = 1_000
        @OptionGroup var listing: ListingOptions
        @OptionGroup var app: ApplicationOption
        @OptionGroup var host: HostOptions

        func validate() throws {
            guard 0...100_000 ~= self.limit else { throw ValidationError("-n takes a number from 0 to 100000") }
        }

        func run(_ session: ClientSession, application: String) async throws {
            let difference = try await session.api.slugDifference(
                from: self.from?.version, to: self.release.version, of: application, limit: self.limit)
            try session.show(difference, self.listing) {
                var lines = difference.entries.map { entry in
                    let (mark, bytes) =
                        switch entry.change {
                        case .added: ("+", entry.newBytes ?? 0)
                        case .removed: ("-", entry.oldBytes ?? 0)
                        case .changed: ("~", (entry.newBytes ?? 0) - (entry.oldBytes ?? 0))
                        }
                    let sign = entry.change == .changed ? (bytes < 0 ? "-" : "+") : ""
                    return "\(mark) \(TerminalText.line(entry.path))  "
                        + session.terminal.dim(sign + Quantities.bytes(abs(bytes)))
                }
                let count = difference.added + difference.removed + difference.changed
                if count > difference.entries.count { lines.append("… and \(count - difference.entries.count) more") }
                lines.append(
                    "\(difference.added) added, \(difference.removed) removed, \(difference.changed) changed; "
                        + "\(Quantities.bytes(difference.bytesIn)) in, \(Quantities.bytes(difference.bytesOut)) out")
                return lines.joined(separator: "\n") + "\n"
            }
        }
    }

    struct Export: ApplicationCommand {
        static let configuration = CommandConfiguration(
            abstract: "Download the files of a release as an archive.",
            discussion: "The same release gives the same bytes.")
        @Argument(help: "The release: v3 or 3.") var release: ReleaseArgument
        @Option(
            name: .shortAndLong,
            help: ArgumentHelp(
                "Where to: a .tar, .tar.gz or .tar.zst, or - for standard output, as .tar. (default: NAME-vN.tar.zst)",
                valueName: "file"), completion: .file())
        var output: String?
        @Flag(name: .shortAndLong, help: "Write over a file that is there.") var force = false
        @OptionGroup var app: ApplicationOption
        @OptionGroup var host: HostOptions

        func run(_ session: ClientSession, application: String) async throws {
            let output = self.output ?? "\(application)-v\(self.release.version).tar.zst"
            if output == "-" {
                guard !session.terminal.isTerminal else {
                    throw ValidationError("an archive is nothing for a terminal; name a file, or redirect the output")
                }
                return try await session.api.archive(
                    of: self.release.version, of: application, format: "tar", onBytes: session.terminal.write)
            }
            let formats = [
                (".tar.zst", "tar.zst"), (".tzst", "tar.zst"), (".tar.gz", "tar.gz"), (".tgz", "tar.gz"),
                (".tar", "tar"),
            ]
            guard let format = formats.first(where: { output.hasSuffix($0.0) })?.1 else {
                throw ValidationError("--output takes a .tar, .tar.gz or .tar.zst; not \(output)")
            }
            guard self.force || !FileManager.default.fileExists(atPath: output) else {
                throw ValidationError("\(output) is there already; add --force to write over it")
            }
            // Under its name it appears when it is complete.
            let partial = FilePath(output + ".part")
            let file = try FileDescriptor.open(
                partial, .writeOnly, options: [.create, .truncate, .closeOnExec], permissions: [.ownerReadWrite])
            do {
                try await file.closeAfterwards {
                    try await session.api.archive(of: self.release.version, of: application, format: format) {
                        try file.writeAll($0)
                    }
                }
                guard rename(partial.string, output) == 0 else { throw Errno(rawValue: errno) }
            } catch {
                unlink(partial.string)
                throw error
            }
            try session.terminal.printLine("v\(self.release.version) of \(application) is in \(output).")
        }
    }
}

extension FileDescriptor {
    fileprivate func closeAfterwards(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch {
            try? self.close()
            throw error
        }
        try self.close()
    }
}
