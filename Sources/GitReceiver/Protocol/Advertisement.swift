/// The references of a repository at one instant.
struct RefSnapshot: Hashable, Sendable {
    struct Ref: Hashable, Sendable {
        var name: String
        var oid: ObjectID
        /// What an annotated tag points at in the end.
        var peeled: ObjectID?
    }

    /// Sorted by name.
    var refs: [Ref] = []
    /// The branch that HEAD names, whether it exists or not.
    var headTarget = "refs/heads/main"

    var head: ObjectID? { self.refs.first { $0.name == self.headTarget }?.oid }
}

/// What a repository shows before a client asks for more.
enum Advertisement {
    static func receivePack(_ snapshot: RefSnapshot, agent: String) -> [UInt8] {
        // Packs may be thin: what a client sends as deltas need not be searched for when packs are put together.
        let capabilities =
            "report-status report-status-v2 delete-refs side-band-64k quiet atomic ofs-delta push-options "
            + "object-format=sha1 agent=\(agent)"
        var bytes = PktLine.encode("# service=git-receive-pack\n") + PktLine.flush
        var lines = snapshot.refs.map { "\($0.oid) \($0.name)" }
        if lines.isEmpty { lines = ["\(ObjectID.zero) capabilities^{}"] }
        for (index, line) in lines.enumerated() {
            bytes += PktLine.encode(index == 0 ? "\(line)\0\(capabilities)\n" : "\(line)\n")
        }
        return bytes + PktLine.flush
    }

    static func uploadPack(_ snapshot: RefSnapshot, agent: String) -> [UInt8] {
        var capabilities =
            "multi_ack multi_ack_detailed no-done side-band-64k ofs-delta no-progress include-tag "
            + "shallow deepen-since deepen-not deepen-relative filter allow-tip-sha1-in-want "
            + "allow-reachable-sha1-in-want object-format=sha1 agent=\(agent)"
        var lines: [String] = []
        if let head = snapshot.head {
            lines.append("\(head) HEAD")
            capabilities += " symref=HEAD:\(snapshot.headTarget)"
        }
        for ref in snapshot.refs {
            lines.append("\(ref.oid) \(ref.name)")
            if let peeled = ref.peeled { lines.append("\(peeled) \(ref.name)^{}") }
        }
        if lines.isEmpty { lines = ["\(ObjectID.zero) capabilities^{}"] }
        var bytes = PktLine.encode("# service=git-upload-pack\n") + PktLine.flush
        for (index, line) in lines.enumerated() {
            bytes += PktLine.encode(index == 0 ? "\(line)\0\(capabilities)\n" : "\(line)\n")
        }
        return bytes + PktLine.flush
    }

    /// Version 2 advertises commands; the references come from `ls-refs`.
    static func version2(agent: String) -> [UInt8] {
        var bytes = PktLine.encode("# service=git-upload-pack\n") + PktLine.flush
        for line in ["version 2", "agent=\(agent)", "ls-refs=unborn", "fetch=shallow filter", "object-format=sha1"] {
            bytes += PktLine.encode(line + "\n")
        }
        return bytes + PktLine.flush
    }

    /// The most prefixes that are compared with each reference. They only make the answer shorter, so more of them are
    /// ignored, as git does: a client could send half a million.
    private static let prefixLimit = 1000

    /// The answer to version 2's `ls-refs`.
    static func lsRefs(_ snapshot: RefSnapshot, arguments: [String]) -> [UInt8] {
        var prefixes = arguments.filter { $0.hasPrefix("ref-prefix ") }.map { String($0.dropFirst(11)) }
        if prefixes.count > Self.prefixLimit { prefixes = [] }
        func wanted(_ name: String) -> Bool {
            prefixes.isEmpty || prefixes.contains { name.utf8.starts(with: $0.utf8) }
        }
        let showsTargets = arguments.contains("symrefs")
        var bytes: [UInt8] = []
        if wanted("HEAD") {
            let target = showsTargets ? " symref-target:\(snapshot.headTarget)" : ""
            if let head = snapshot.head {
                bytes += PktLine.encode("\(head) HEAD\(target)\n")
            } else if arguments.contains("unborn") {
                bytes += PktLine.encode("unborn HEAD\(target)\n")
            }
        }
        for ref in snapshot.refs where wanted(ref.name) {
            let peeled = arguments.contains("peel") ? ref.peeled.map { " peeled:\($0)" } ?? "" : ""
            bytes += PktLine.encode("\(ref.oid) \(ref.name)\(peeled)\n")
        }
        return bytes + PktLine.flush
    }
}
