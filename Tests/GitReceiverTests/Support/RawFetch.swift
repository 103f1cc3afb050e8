import Synchronization
import SystemPackage

@testable import GitReceiver

/// A fetch in version 2 of the protocol, made by hand.
struct RawFetch: Sendable {
    var wants: [String]
    var haves: [String] = []
    var options: [String] = []

    var request: GitRequest {
        GitRequest(method: "POST", path: "/app.git/git-upload-pack", headers: [("Git-Protocol", "version=2")])
    }

    var body: RawClient.Chunks {
        var body = PktLine.encode("command=fetch") + PktLine.delimiter
        for option in self.options { body += PktLine.encode(option) }
        for want in self.wants { body += PktLine.encode("want \(want)") }
        for have in self.haves { body += PktLine.encode("have \(have)") }
        return RawClient.Chunks(body + PktLine.encode("done") + PktLine.flush, size: 1000)
    }

    struct Answer {
        var pack: [UInt8] = []
        var progress = ""
        /// What was said on the band for errors, or in place of an answer.
        var error = ""

        init(_ bytes: [UInt8]) {
            var reader = PktLineReader()
            reader.append(bytes)
            while let packet = try? reader.next() {
                guard case .data(let data) = packet else { continue }
                switch data.first {
                case 1: self.pack += data.dropFirst()
                case 2: self.progress += Packet.text(Array(data.dropFirst()))
                case 3: self.error += Packet.text(Array(data.dropFirst()))
                default: if data.starts(with: "ERR".utf8) { self.error += Packet.text(data) }
                }
            }
        }
    }

    /// Fetches; `watch` sees the writes as they come.
    func run(
        _ server: GitServer, watch: @escaping @Sendable ([UInt8]) async throws -> Void = { _ in }
    ) async throws -> Answer {
        struct Writer: GitBodyWriter {
            let collector: RawClient.Collector
            let watch: @Sendable ([UInt8]) async throws -> Void
            func write(_ bytes: [UInt8]) async throws {
                try await self.watch(bytes)
                try await self.collector.write(bytes)
            }
        }
        let collector = RawClient.Collector { _ in }
        let response = try await server.respond(to: self.request, body: self.body)
        switch response.body {
        case .bytes(let bytes): try await collector.write(bytes)
        case .stream(let stream):
            do { try await stream(Writer(collector: collector, watch: watch)) } catch {
                // Said on the band for errors as well.
                guard error is GitReceiverError else { throw error }
            }
        }
        return Answer(collector.bytes.withLock { $0 })
    }
}

extension Fixture {
    /// What git says of a pack, which it completes from a repository if that is given: empty if nothing.
    func faults(of pack: [UInt8], completedFrom repository: FilePath? = nil) async throws -> String {
        let directory = repository ?? self.directory.appending("unpacked-\(pack.count)-\(pack.suffix(4))")
        if repository == nil { try await self.git("init", "-q", "--bare", directory.string, in: self.directory) }
        let file = directory.appending("fetched.pack")
        let descriptor = try FileDescriptor.open(
            file, .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
        try descriptor.closeAfter { _ = try descriptor.writeAll(pack) }
        let command =
            repository == nil
            ? "git index-pack --strict fetched.pack" : "git index-pack --stdin --fix-thin <fetched.pack"
        let output = try await self.git.run(
            ["-c", "alias.take=!cd '\(directory)' && \(command)", "take"], in: directory)
        return output.status == 0 ? "" : output.stderr
    }

    /// The most deltas on deltas of the packs of a repository.
    func deepestChain(in repository: FilePath) async throws -> Int {
        var deepest = 0
        let packs = try await self.git.run(
            ["-c", "alias.chains=!git verify-pack -v objects/pack/*.idx", "chains"], in: repository)
        for line in packs.stdout.split(separator: "\n") {
            let fields = line.split(separator: " ")
            if fields.count == 7, let depth = Int(fields[5]) { deepest = max(deepest, depth) }
        }
        return deepest
    }
}
