import Foundation
import SlugStoreTesting
import SystemPackage
import TestSupport
import Testing

@testable import SlugStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Random layers, compared with a model that applies them as the specification says, and with another program.
@Suite struct LayerPropertyTests {
    /// One layer: what it removes of those below, and what it adds.
    private struct Layer {
        var whiteouts: Set<String> = []
        var opaques: Set<String> = []
        var entries: [String: TestTree.Entry] = [:]

        private static func parents(_ path: String) -> [String] {
            let parts = path.split(separator: "/")
            return (1..<max(parts.count, 1)).map { parts[..<$0].joined(separator: "/") }
        }

        init(on state: [String: TestTree.Entry], _ random: inout SeededGenerator) {
            func name() -> String {
                (0..<Int.random(in: 1...3, using: &random)).map { _ in ["a", "b", "c"].randomElement(using: &random)! }
                    .joined(separator: "/")
            }
            for _ in 0..<Int.random(in: 0...6, using: &random) {
                let path = name()
                let isBelowOther = Self.parents(path).contains {
                    self.entries[$0] != nil && self.entries[$0] != .directory
                }
                guard !isBelowOther, self.entries[path] == nil else { continue }
                // Parents are named, as every honest writer does.
                for parent in Self.parents(path) { self.entries[parent] = .directory }
                self.entries[path] =
                    switch Int.random(in: 0..<4, using: &random) {
                    case 0: .directory
                    case 1: .link(["a", "b/c", "missing"].randomElement(using: &random)!)
                    default: .file("\(random.next())", executable: Bool.random(using: &random))
                    }
            }
            let directories = state.keys.filter {
                state[$0] == .directory && self.entries[$0] ?? .directory == .directory
            }
            .sorted()
            for path in state.keys.sorted() where Int.random(in: 0..<5, using: &random) == 0 {
                guard Self.parents(path).allSatisfy(directories.contains) else { continue }
                self.whiteouts.insert(path)
            }
            for path in directories where Int.random(in: 0..<8, using: &random) == 0 {
                guard Self.parents(path).allSatisfy(directories.contains) else { continue }
                self.opaques.insert(path)
                self.entries[path] = .directory
                for parent in Self.parents(path) { self.entries[parent] = .directory }
            }
        }

        func apply(to state: inout [String: TestTree.Entry]) {
            func remove(below path: String) { state = state.filter { !$0.key.hasPrefix("\(path)/") } }
            for path in self.whiteouts {
                remove(below: path)
                state[path] = nil
            }
            for path in self.opaques { remove(below: path) }
            for (path, entry) in self.entries.sorted(by: { $0.key < $1.key }) {
                if entry != .directory || state[path] != .directory { remove(below: path) }
                state[path] = entry
            }
        }

        func archive(_ random: inout SeededGenerator) -> [UInt8] {
            var tar = HandmadeTar()
            var markers = self.whiteouts.map { path in
                let parts = path.split(separator: "/")
                return (parts.dropLast() + [".wh.\(parts.last!)"]).joined(separator: "/")
            }
            markers += self.opaques.map { "\($0)/.wh..wh..opq" }
            // Anywhere among the others.
            var places = markers.sorted().map { ($0, Int.random(in: 0...self.entries.count, using: &random)) }
            for (number, (path, entry)) in self.entries.sorted(by: { $0.key < $1.key }).enumerated() {
                for (marker, _) in places.filter({ $0.1 == number }) { tar.add(marker) }
                places.removeAll { $0.1 == number }
                switch entry {
                case .directory: tar.addDirectory(path)
                case .file(let bytes, let executable):
                    tar.add(Array(path.utf8), mode: executable ? 0o755 : 0o644, content: bytes)
                case .link(let target): tar.addLink(path, to: target)
                }
            }
            for (marker, _) in places { tar.add(marker) }
            return tar.archive
        }
    }

    private func image(_ seed: UInt64) -> (image: HandmadeImage, state: [String: TestTree.Entry]) {
        var random = SeededGenerator(seed: seed)
        var state: [String: TestTree.Entry] = [:]
        var image = HandmadeImage()
        for _ in 0..<Int.random(in: 2...5, using: &random) {
            let layer = Layer(on: state, &random)
            layer.apply(to: &state)
            image.layers.append(
                .init(
                    archive: layer.archive(&random), compression: [.plain, .gzip].randomElement(using: &random)!))
        }
        return (image, state)
    }

    private func tree(_ image: HandmadeImage, _ path: String?, in directory: FilePath) async throws -> TestTree {
        let layout = try await image.write(to: directory.appending("layout"))
        var options = ImageImport(path: path)
        options.keepsOutwardLinks = true
        let (report, repository) = try await layout.imported(nil, options, in: directory)
        return try TestTree(readingAt: try await repository.materialise(report.slug.id).path)
    }

    @Test(arguments: 0..<120) func `random layers make what the model says`(seed: UInt64) async throws {
        let (image, state) = self.image(seed)
        try await withTemporaryDirectory { directory in
            let whole = try await self.tree(image, nil, in: directory)
            #expect(whole == TestTree(state))
            // A directory of it is the same directory.
            if state["a"] == .directory {
                let below = state.filter { $0.key.hasPrefix("a/") }.map { (String($0.key.dropFirst(2)), $0.value) }
                let part = try await self.tree(image, "/a", in: directory)
                #expect(part == TestTree(Dictionary(uniqueKeysWithValues: below)))
            }
        }
    }

    @Test(.enabled(if: Program.has("umoci"), "umoci is not installed"), arguments: 0..<20)
    func `another program makes the same of them`(seed: UInt64) async throws {
        let (image, _) = self.image(seed)
        try await withTemporaryDirectory { directory in
            let own = try await self.tree(image, nil, in: directory)
            try Program.run(
                "umoci", ["unpack"] + (geteuid() == 0 ? [] : ["--rootless"]) + ["--image", "layout:latest", "bundle"],
                in: directory)
            #expect(try TestTree(readingAt: directory.appending("bundle/rootfs")) == own)
        }
    }
}
