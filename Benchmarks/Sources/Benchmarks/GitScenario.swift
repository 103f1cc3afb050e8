import Foundation

/// A pack received, its newest commit checked out, a clone of it, and many pushes made one pack, beside git's own programs for
/// the same bytes.
struct GitScenario {
    let options: Options
    let scratch: Scratch
    let processes: Processes

    private struct Round {
        var receive: Double
        var export: Double
        var peerReceive: Double
        var strictReceive: Double
        var peerCheckout: Double
        var clone: Double
        var peerClone: Double
        var repack: Double
        var peerRepack: Double
        var packed: Double
        var peerPacked: Double
    }

    func run() throws -> [Row] {
        guard let program = self.options.program("git-intake") else { throw Failure("git-intake is not built") }
        guard Machine.find("git") != nil else { return [Row(what: "git", unit: "s", note: "git is not installed")] }
        let (body, commit, bytes) = try self.makeBody()
        let clone = try self.makeCloneBody(of: commit)
        let pushed = try self.makePushes()
        let rounds = try (0..<(self.options.rounds ?? 5)).map { number in
            try self.round(number, program, body, commit, clone, pushed)
        }
        let size = "\(bytes / 1_000_000) MB"
        let receive = rounds.map(\.receive)
        return [
            Row(
                what: "receive and check a pack of \(size), CPU", unit: "s", slipway: receive, peer: "git receive-pack",
                peerValues: rounds.map(\.peerReceive)),
            Row(
                what: "receive and check a pack of \(size), CPU", unit: "s", slipway: receive,
                peer: "the same, fsckObjects", peerValues: rounds.map(\.strictReceive)),
            Row(
                what: "its newest commit as files, CPU", unit: "s", slipway: rounds.map(\.export),
                peer: "git clone --shared", peerValues: rounds.map(\.peerCheckout)),
            Row(
                what: "from the pack to the files, CPU", unit: "s", slipway: rounds.map { $0.receive + $0.export },
                peer: "git receive-pack, clone", peerValues: rounds.map { $0.peerReceive + $0.peerCheckout }),
            Row(
                what: "a clone of it, CPU of the server", unit: "s", slipway: rounds.map(\.clone),
                peer: "git upload-pack", peerValues: rounds.map(\.peerClone)),
            Row(
                what: "\(Self.pushes) pushes made one pack, CPU", unit: "s", slipway: rounds.map(\.repack),
                peer: "git repack -ad", peerValues: rounds.map(\.peerRepack)),
            Row(
                what: "\(Self.pushes) pushes made one pack, size", unit: "MB", slipway: rounds.map(\.packed),
                peer: "git repack -ad", peerValues: rounds.map(\.peerPacked)),
        ]
    }

    /// Every round has directories of its own: files that are made just after others were removed cost more.
    private func round(
        _ number: Int, _ program: String, _ body: String, _ commit: String, _ cloneBody: String, _ pushed: String
    ) throws -> Round {
        let own = try self.scratch.directory("git-\(number)")
        let receive = try self.cpu([program, own, "receive", "app", body])
        let export = try self.cpu([program, own, "export", "app", commit, own + "/files"])
        let peers = try [false, true].map { isStrict in
            let peer = own + (isStrict ? "/strict.git" : "/peer.git")
            _ = try self.cpu(["git", "init", "-q", "--bare", "-b", "main", peer])
            _ = try self.cpu(["git", "-C", peer, "config", "receive.fsckObjects", "\(isStrict)"])
            return try self.cpu(["sh", "-c", "exec git receive-pack --stateless-rpc \"$0\" <\"$1\"", peer, body])
        }
        let checkout = try self.cpu(["git", "clone", "-q", "--shared", own + "/peer.git", own + "/clone"])
        let clone = try self.cpu([program, own, "fetch", "app", cloneBody])
        let peerClone = try self.cpu([
            "sh", "-c", "exec git upload-pack --stateless-rpc \"$0\" <\"$1\" >/dev/null", own + "/peer.git", cloneBody,
        ])
        let (many, peerMany) = (own + "/many/app.git", own + "/many.git")
        _ = try self.cpu(["mkdir", own + "/many"])
        // The times of the packs say in which order they came.
        for copy in [many, peerMany] { _ = try self.cpu(["cp", "-a", pushed, copy]) }
        let repack = try self.cpu([program, own + "/many", "maintain", "app"])
        let peerRepack = try self.cpu(["git", "-C", peerMany, "repack", "-adq"])
        return Round(
            receive: receive, export: export, peerReceive: peers[0], strictReceive: peers[1], peerCheckout: checkout,
            clone: clone, peerClone: peerClone, repack: repack, peerRepack: peerRepack,
            packed: try self.packBytes(many) / 1e6, peerPacked: try self.packBytes(peerMany) / 1e6)
    }

    private func cpu(_ arguments: [String]) throws -> Double {
        try self.processes.run(
            arguments,
            environment: ["HOME": self.scratch.path, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"],
            output: self.scratch.file("git.log"), seconds: 120
        ).exit.cpu
    }

    private func packBytes(_ repository: String) throws -> Double {
        let directory = repository + "/objects/pack/"
        let packs = try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0.hasSuffix(".pack") }
        return try packs.reduce(0) { sum, pack in
            let size = try FileManager.default.attributesOfItem(atPath: directory + pack)[.size] as? NSNumber
            return sum + (size?.doubleValue ?? 0)
        }
    }

    /// What a client sends to clone.
    private func makeCloneBody(of commit: String) throws -> String {
        func packet(_ line: String) -> String { String(format: "%04x", line.utf8.count + 4) + line }
        let path = self.scratch.file("clone")
        let want = packet("want \(commit) side-band-64k ofs-delta no-progress\n")
        try Data((want + "0000" + packet("done\n")).utf8).write(to: URL(fileURLWithPath: path))
        return path
    }

    private static let pushes = 200

    /// A repository to which the history was pushed in many parts, each of which left a pack.
    private func makePushes() throws -> String {
        let (source, target) = (self.scratch.file("history.git"), self.scratch.file("pushed.git"))
        _ = try self.cpu(["git", "init", "-q", "--bare", "-b", "main", target])
        for key in ["receive.unpackLimit", "transfer.unpackLimit"] {
            _ = try self.cpu(["git", "-C", target, "config", key, "1"])
        }
        _ = try self.cpu(["git", "-C", target, "config", "receive.autogc", "false"])
        for number in (0..<Self.pushes).reversed() {
            let commit = "main~\(number * 1000 / Self.pushes)^0"
            _ = try self.cpu(["git", "-C", source, "push", "-q", target, "\(commit):refs/heads/main"])
        }
        return target
    }

    /// What a client sends to push a history of texts that change and of files that no one can compress.
    private func makeBody() throws -> (path: String, commit: String, bytes: Int) {
        let source = self.scratch.file("history.git")
        let stream = self.scratch.file("history")
        try self.history().write(to: URL(fileURLWithPath: stream))
        _ = try self.cpu(["git", "init", "-q", "--bare", "-b", "main", source])
        _ = try self.cpu(["sh", "-c", "exec git -C \"$0\" fast-import --quiet <\"$1\"", source, stream])
        // Without a bitmap, as in a developer's clone: git sends no thin packs from a repository that has one.
        _ = try self.cpu(["git", "-C", source, "-c", "repack.writeBitmaps=false", "repack", "-adfq"])
        let commit = try String(contentsOfFile: source + "/refs/heads/main", encoding: .utf8)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        let directory = source + "/objects/pack/"
        guard
            let pack = try FileManager.default.contentsOfDirectory(atPath: directory).first(where: {
                $0.hasSuffix(".pack")
            })
        else { throw Failure("git made no pack") }
        let zero = String(repeating: "0", count: 40)
        let line = "\(zero) \(commit) refs/heads/main\0 report-status side-band-64k ofs-delta"
        var body = Data((String(format: "%04x", line.utf8.count + 4) + line + "0000").utf8)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: directory + pack))
        body.append(bytes)
        let path = self.scratch.file("push")
        try body.write(to: URL(fileURLWithPath: path))
        return (path, commit, bytes.count)
    }

    /// 1,000 commits on 3,000 texts of 2 to 20 KB and 500 files of 20 to 250 KB, the same every time.
    private func history() -> Data {
        var random = Seeded(state: 7)
        var output = Data()
        func put(_ text: String) { output.append(contentsOf: text.utf8) }
        func put(_ path: String, _ content: Data) {
            put("M 100644 inline \(path)\ndata \(content.count)\n")
            output.append(content)
            put("\n")
        }
        let words = (0..<4_000).map { _ in String(random.next() >> 20, radix: 36) }
        func sentence() -> String {
            (0...random.below(10)).map { _ in words[random.below(words.count)] }.joined(separator: " ")
        }
        var texts = (0..<3_000).map { _ in (0..<40 + random.below(360)).map { _ in sentence() } }
        func path(_ text: Int) -> String { "src/m\(text % 40)/d\(text % 7)/f\(text).txt" }
        func data(_ text: Int) -> Data { Data(texts[text].joined(separator: "\n").utf8) }
        func noise() -> Data {
            Data((0..<2_500 + random.below(28_000)).flatMap { _ in withUnsafeBytes(of: random.next(), Array.init) })
        }
        for number in 0..<1_000 {
            let time = "A <a@example.com> \(1_700_000_000 + number * 60) +0000"
            put("commit refs/heads/main\nmark :\(number + 1)\nauthor \(time)\ncommitter \(time)\ndata 1\nx\n")
            if number == 0 {
                for text in texts.indices { put(path(text), data(text)) }
                for asset in 0..<500 { put("assets/a\(asset).bin", noise()) }
            } else {
                put("from :\(number)\n")
                for _ in 0..<8 {
                    let text = random.below(texts.count)
                    texts[text][random.below(texts[text].count)] = sentence()
                    put(path(text), data(text))
                }
                if number.isMultiple(of: 10) { put("assets/a\(random.below(500)).bin", noise()) }
            }
            put("\n")
        }
        return output
    }

    /// SplitMix64.
    private struct Seeded {
        var state: UInt64

        mutating func next() -> UInt64 {
            self.state &+= 0x9E37_79B9_7F4A_7C15
            var z = self.state
            z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
            return z ^ z >> 31
        }

        mutating func below(_ limit: Int) -> Int { Int(self.next() % UInt64(limit)) }
    }
}
