import Foundation

/// Stores of trees side by side: the first release, the next with one file changed, fifty of them, and the way back.
struct SlugScenario {
    let options: Options
    let scratch: Scratch
    let processes: Processes

    /// What one store needed in one round.
    private struct Cost {
        var cpu: Double
        var wall: Double
        var bytes: Double
    }

    func run() throws -> [Row] {
        guard let slugTool = self.options.program("slug-tool") else {
            return [Row(what: "slugs", unit: "s", note: "slug-tool is not built")]
        }
        var rows: [Row] = []
        for tree in SlugTree.allCases {
            let directory = self.scratch.file("tree-\(tree.rawValue.prefix(2))")
            if let reason = try tree.make(in: directory, self.processes, log: self.scratch.file("tree.log")) {
                rows.append(Row(what: "slugs of \(tree.rawValue)", unit: "s", note: reason))
                continue
            }
            rows += try self.compare(tree, directory, slugTool)
        }
        return rows
    }

    private func compare(_ tree: SlugTree, _ directory: String, _ slugTool: String) throws -> [Row] {
        let kinds = SlugStoreKind.allCases.filter { $0.isPresent(slugTool) }
        var first: [SlugStoreKind: [Cost]] = [:]
        var second: [SlugStoreKind: [Cost]] = [:]
        var back: [SlugStoreKind: [Cost]] = [:]
        var again: [Double] = []
        for round in 0..<(self.options.rounds ?? 3) {
            // Directories of their own in each round: file systems take long to give names again that were just freed.
            let base = self.scratch.file("slugs-\(tree.rawValue.prefix(2))-\(round)")
            try FileManager.default.createDirectory(atPath: base, withIntermediateDirectories: true)
            func store(_ kind: SlugStoreKind) -> String {
                base + "/store-\(SlugStoreKind.allCases.firstIndex(of: kind) ?? 0)"
            }
            for kind in kinds {
                try self.warm(directory)
                let cost = try self.cost(kind.put(directory, into: store(kind), release: 0, slugTool), store(kind))
                first[kind, default: []].append(cost)
            }
            for kind in kinds {
                guard let command = kind.get(store(kind), into: store(kind) + "-tree", slugTool) else { continue }
                back[kind, default: []].append(try self.cost(command, store(kind)))
            }
            let repeated = SlugStoreKind.slipway.get(
                store(.slipway), into: store(.slipway) + "-again", slugTool)
            if let repeated { again.append(try self.cost(repeated, store(.slipway)).wall * 1e3) }
            try SlugTree.change(directory, release: 100 + round)
            for kind in kinds {
                let before = Self.bytes(in: store(kind))
                try self.warm(directory)
                var cost = try self.cost(kind.put(directory, into: store(kind), release: 1, slugTool), store(kind))
                cost.bytes -= before
                second[kind, default: []].append(cost)
            }
        }
        let name = tree.rawValue
        return self.rows("\(name): first put, CPU", "s", first, \.cpu)
            + self.rows("\(name): first put, wall clock", "s", first, \.wall, only: [.tarOnAllCores])
            + self.rows("\(name): first put, on disk", "MB", first) { $0.bytes / 1e6 }
            + self.rows("\(name): one file changed, CPU", "s", second, \.cpu)
            + self.rows("\(name): one file changed, growth", "kB", second) { $0.bytes / 1e3 }
            + self.rows("\(name): made again, CPU", "s", back, \.cpu)
            + [Row(what: "\(name): a tree that is there, wall clock of the program", unit: "ms", slipway: again)]
            + [try self.fifty(tree, directory, slugTool)]
    }

    /// Fifty releases, each with another file changed, beside one.
    private func fifty(_ tree: SlugTree, _ directory: String, _ slugTool: String) throws -> Row {
        let store = self.scratch.file("fifty-\(tree.rawValue.prefix(2))")
        var one = 0.0
        for release in 0..<50 {
            try SlugTree.change(directory, release: release)
            _ = try self.cost(
                SlugStoreKind.slipway.put(directory, into: store, release: release, slugTool), store)
            if release == 0 { one = Self.bytes(in: store) }
        }
        return Row(
            what: "\(tree.rawValue): fifty releases, on disk", unit: "MB", slipway: [Self.bytes(in: store) / 1e6],
            peer: "one release", peerValues: [one / 1e6])
    }

    /// Reads the tree into memory: borg tells the kernel to forget what it has read, and whoever came next would wait for the disk.
    private func warm(_ directory: String) throws {
        _ = try self.processes.run(
            ["sh", "-c", "tar -C \(directory) -cf - . | wc -c"], output: self.scratch.file("warm.log"), seconds: 120)
    }

    private func cost(_ command: String, _ store: String) throws -> Cost {
        let variables = [
            "RESTIC_PASSWORD": "benchmark", "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
            "BORG_BASE_DIR": self.scratch.file("borg"), "HOME": self.scratch.file("home"),
        ]
        let start = now()
        let run = try self.processes.run(
            ["sh", "-c", command], environment: variables, output: self.scratch.file("store.log"), seconds: 120)
        return Cost(cpu: run.exit.cpu, wall: now() - start, bytes: Self.bytes(in: store))
    }

    /// The sizes of all files in a store, without the trees that were made of it.
    private static func bytes(in store: String) -> Double {
        let files = FileManager.default.enumerator(
            at: URL(fileURLWithPath: store), includingPropertiesForKeys: [.fileSizeKey, .isRegularFileKey])
        var total = 0
        while let file = files?.nextObject() as? URL {
            if file.lastPathComponent == "trees" {
                files?.skipDescendants()
                continue
            }
            let values = try? file.resourceValues(forKeys: [.fileSizeKey, .isRegularFileKey])
            if values?.isRegularFile == true { total += values?.fileSize ?? 0 }
        }
        return Double(total)
    }

    private func rows(
        _ what: String, _ unit: String, _ costs: [SlugStoreKind: [Cost]], _ value: (Cost) -> Double,
        only peers: [SlugStoreKind]? = nil
    ) -> [Row] {
        let own = (costs[.slipway] ?? []).map(value)
        return (peers ?? [.tar, .casync, .restic, .borg]).compactMap { peer in
            guard let values = costs[peer] else { return nil }
            return Row(what: what, unit: unit, slipway: own, peer: peer.rawValue, peerValues: values.map(value))
        }
    }
}
