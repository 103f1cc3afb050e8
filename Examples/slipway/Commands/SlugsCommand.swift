import ArgumentParser
import Foundation
import PlatformClient
import PlatformWire

struct SlugsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "slugs", abstract: "Look after the stored builds of all applications.",
        discussion: "What releases are made of. See also `slipway releases pin`, `diff` and `export`.",
        subcommands: [List.self, Verify.self, Collect.self], defaultSubcommand: List.self)

    struct List: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the slugs with the releases that have them, oldest first.",
            discussion: "ADDED is what storing it took on disk: what no earlier slug had, compressed.")
        @OptionGroup var listing: ListingOptions
        @OptionGroup var host: HostOptions

        func run(_ session: ClientSession) async throws {
            let slugs = try await session.api.slugs()
            try session.show(slugs, self.listing) {
                let now = Date()
                var table = TextTable(
                    ["SLUG", "AGE", "FILES", "SIZE", "ADDED", "RELEASES"], right: ["AGE", "FILES", "SIZE", "ADDED"])
                for slug in slugs {
                    table.add(
                        Self.short(slug.id), Quantities.age(from: slug.createdAt, to: now), "\(slug.files)",
                        Quantities.bytes(slug.bytes), Quantities.bytes(slug.newBytesStored), Self.text(of: slug.uses))
                }
                return table.text(header: session.terminal.bold)
            }
        }

        /// Enough of an identifier to tell it from others, as builds print it.
        private static func short(_ id: String) -> String { String((id.split(separator: ":").last ?? "").prefix(12)) }

        /// `blog v7 (live), v5 (pinned), v1 and 4 more`.
        private static func text(of uses: [SlugInfo.Use]) -> String {
            if uses.isEmpty { return "-" }
            var application = ""
            // What tells most first.
            let sorted = uses.sorted {
                ($0.application, $0.isLive ? 0 : 1, -$0.release) < ($1.application, $1.isLive ? 0 : 1, -$1.release)
            }
            var words = sorted.prefix(4).map { use in
                let name = use.application == application ? "" : use.application + " "
                application = use.application
                let notes = [use.isLive ? "live" : nil, use.isPinned ? "pinned" : nil].compactMap { $0 }
                return "\(name)v\(use.release)" + (notes.isEmpty ? "" : " (\(notes.joined(separator: ", ")))")
            }
            if uses.count > 4 { words.append("and \(uses.count - 4) more") }
            return words.joined(separator: ", ")
        }
    }

    struct Verify: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read and check all that is stored.",
            discussion: """
                A host does this every week by itself (--check-slugs of `slipway serve`), slowly; here it goes as fast as the \
                disk does. Exits with status 1 when something is damaged.
                """)
        @Option(
            help: ArgumentHelp("How much of it is read, from 0 to 1; the rest is left to chance.", valueName: "share"))
        var share = 1.0
        @OptionGroup var listing: ListingOptions
        @OptionGroup var host: HostOptions

        func validate() throws {
            guard self.share > 0, self.share <= 1 else {
                throw ValidationError("--share takes a number above 0, to 1; not \(self.share)")
            }
        }

        func run(_ session: ClientSession) async throws {
            let report = try await session.api.checkSlugs(
                share: self.share, onLine: self.listing.isJSON ? { _ in } : session.progress)
            try session.show(report, self.listing) {
                let read = "\(Quantities.count(report.slugs, "slug")), \(Quantities.bytes(report.bytes)) read"
                if report.damages.isEmpty { return "\(read): sound.\n" }
                let lines = report.damages.map { "  \(TerminalText.line($0))" }
                let lost = report.lostSlugs.map { "  \($0)" }
                return
                    (["\(read): damaged."] + lines
                    + (lost.isEmpty
                        ? ["No slug needs it."] : ["These cannot be started any more; deploy again:"] + lost))
                    .joined(separator: "\n") + "\n"
            }
            if !report.damages.isEmpty { throw ExitCode.failure }
        }
    }

    struct Collect: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove the slugs that no release has, and give back the space that no slug needs.",
            discussion: """
                A host does this by itself after deployments, and at its start. Of a store that several hosts share, no slug is removed: a \
                host does not know what the others need.
                """)
        @OptionGroup var listing: ListingOptions
        @OptionGroup var host: HostOptions

        func run(_ session: ClientSession) async throws {
            let report = try await session.api.collectSlugGarbage(onLine: session.progress)
            try session.show(report, self.listing) {
                "\(Quantities.count(report.slugs, "slug")) and \(Quantities.count(report.chunks, "chunk")) removed, "
                    + "\(Quantities.bytes(report.bytes)) given back.\n"
            }
        }
    }
}
