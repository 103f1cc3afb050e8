import ArgumentParser
import Foundation
import NIOCore
import NIOPosix
import PlatformClient
import SystemPackage

struct UpgradeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upgrade",
        abstract: "Have another version of slipway take over from the host that runs on this machine.",
        discussion: """
            Run it with the new program, as the user of the host: new/slipway upgrade --data DIR. The new program is started \
            with the host's own options and takes its sockets and instances over: no connection is refused, no instance is \
            restarted. The old host answers what it has accepted, and ends. If the new one does not come up, the old one goes \
            on.

            Deployments and one-offs that run would be broken off: then it is refused, unless --force is given.
            """)
    @Option(
        help: ArgumentHelp("The data directory of the host.", discussion: "Else SLIPWAY_DATA, else ./slipway-data."))
    var data: String?
    @Option(help: ArgumentHelp("The new program. (default: this one)", valueName: "file"), completion: .file())
    var program: String?
    @Flag(help: "Break off what is under way.") var force = false

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let terminal = Terminal(environment: environment)
        let current = FilePath(FileManager.default.currentDirectoryPath)
        let data = current.pushing(FilePath(self.data ?? environment["SLIPWAY_DATA"] ?? ClientSettings.defaultData))
        let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let program = current.pushing(FilePath(self.program ?? own ?? CommandLine.arguments[0])).lexicallyNormalized()
        let last: String
        do {
            last = try await Self.ask(
                try DataDirectory.socketPath("control", in: data.lexicallyNormalized()).string,
                UpgradeRequest.Wish(program: program.string, isForced: self.force), terminal)
        } catch {
            terminal.complain("no host with the data directory \(data) can be reached: \(error). Is --data right?")
            throw ExitCode.failure
        }
        guard let reason = last.split(separator: ": ", maxSplits: 1).last, last.hasPrefix("done: ") else {
            terminal.complain(
                last.hasPrefix("error: ") ? String(last.dropFirst(7)) : "the host ended before it had handed over")
            throw ExitCode.failure
        }
        try terminal.printLine("Upgraded: \(reason).")
    }

    /// Returns the last line of the answer, and shows the others.
    private static func ask(_ path: String, _ wish: UpgradeRequest.Wish, _ terminal: Terminal) async throws -> String {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(unixDomainSocketPath: path) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        let request = try JSONEncoder().encode(wish)
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(bytes: request + [UInt8(ascii: "\n")]))
            var text = ""
            var last = ""
            for try await bytes in inbound {
                text += String(buffer: bytes)
                while let end = text.firstIndex(of: "\n") {
                    last = String(text[..<end])
                    text = String(text[text.index(after: end)...])
                    if !last.hasPrefix("done: "), !last.hasPrefix("error: ") { terminal.note(last) }
                }
            }
            return last
        }
    }
}
