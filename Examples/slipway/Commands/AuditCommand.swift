import ArgumentParser
import PlatformClient
import PlatformWire

struct AuditCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "List who changed what, newest first.")
    @Option(name: [.customShort("n"), .customLong("num")], help: ArgumentHelp("How many entries.", valueName: "n"))
    var limit = 100
    @OptionGroup var listing: ListingOptions
    @OptionGroup var host: HostOptions

    func validate() throws {
        if self.limit < 1 { throw ValidationError("-n takes a number of entries.") }
    }

    func run(_ session: ClientSession) async throws {
        let entries = try await session.api.audit(limit: self.limit)
        try session.show(entries, self.listing) {
            var table = TextTable(["WHEN", "WHO", "WHAT", "APPLICATION", "DETAIL"])
            for entry in entries {
                table.add(
                    WireJSON.text(of: entry.at), entry.actor, entry.action, entry.application ?? "-", entry.detail)
            }
            return table.text(header: session.terminal.bold)
        }
    }
}
