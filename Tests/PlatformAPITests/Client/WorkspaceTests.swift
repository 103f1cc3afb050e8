import Foundation
import SystemPackage
import TestSupport
import Testing

@testable import PlatformClient

struct WorkspaceTests {
    @Test(arguments: [
        ("[remote \"slipway\"]\n\turl = http://h/git/blog.git\n", "http://h/git/blog.git"),
        ("[Remote \"slipway\"]\r\n  URL=http://h/git/blog.git # here\r\n", "http://h/git/blog.git"),
        ("[remote \"slipway\"] url = \"http://h/a b\" ; x", "http://h/a b"),
        ("[remote \"slipway\"]\nurl = http://h/\\\ngit/blog.git", "http://h/git/blog.git"),
        ("[remote \"slipway\"]\nurl = one\nurl = two", "two"),
        ("# [remote \"slipway\"]\n[remote \"origin\"]\nurl = x", nil), ("[remote \"Slipway\"]\nurl = x", nil),
        ("[remote \"slipway\"\nurl = x", nil), ("", nil), ("[", nil), ("url = x", nil),
        ("[remote \"sl\\\"ip\"]\nurl = x", nil),
    ])
    func `finds the remote in a git configuration`(text: String, url: String?) {
        #expect(GitConfig(parsing: text).url(ofRemote: "slipway") == url)
    }

    @Test(arguments: [
        ("http://127.0.0.1:8081/git/blog.git", "blog"), ("https://any:token@host/git/blog.git/", "blog"),
        ("http://host/git/blog", "blog"), ("blog", nil), ("http://host/.git", nil),
    ])
    func `finds the application in the address of a remote`(url: String, name: String?) {
        #expect(WorkTree.application(inRemoteURL: url) == name)
    }

    private func write(_ text: String, _ path: FilePath) throws {
        try FileManager.default.createDirectory(
            atPath: path.removingLastComponent().string, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: URL(fileURLWithPath: path.string))
    }

    private let config = "[remote \"slipway\"]\n\turl = http://h/git/blog.git\n"

    @Test func `finds the application from anywhere in a work tree`() async throws {
        try await withTemporaryDirectory { directory in
            let root = directory.appending("blog")
            try self.write("ref: refs/heads/main\n", root.appending(".git/HEAD"))
            try self.write(self.config, root.appending(".git/config"))
            let deep = root.appending("a/b/c")
            try self.write("", deep.appending("file"))
            #expect(WorkTree.containing(deep)?.root == root)
            #expect(WorkTree.containing(deep)?.application == "blog")
            #expect(WorkTree.containing(directory) == nil || WorkTree.containing(directory)?.root != root)
        }
    }

    @Test func `finds the application from a linked work tree`() async throws {
        try await withTemporaryDirectory { directory in
            let main = directory.appending("main"), linked = directory.appending("linked")
            try self.write("ref: refs/heads/main\n", main.appending(".git/HEAD"))
            try self.write(self.config, main.appending(".git/config"))
            try self.write("../..\n", main.appending(".git/worktrees/linked/commondir"))
            try self.write("gitdir: ../main/.git/worktrees/linked\n", linked.appending(".git"))
            #expect(WorkTree.containing(linked)?.application == "blog")
            #expect(WorkTree.containing(linked)?.root == linked)
        }
    }

    @Test func `prefers options to the environment, and that to what lies around`() async throws {
        try await withTemporaryDirectory { directory in
            try self.write("from-file\n", directory.appending("slipway-data/admin-token"))
            try self.write("from-data", directory.appending("data/admin-token"))
            try self.write("ref\n", directory.appending(".git/HEAD"))
            try self.write(self.config, directory.appending(".git/config"))
            func settings(_ options: ClientSettings.Options, _ environment: [String: String] = [:]) -> ClientSettings {
                ClientSettings(options: options, environment: environment, workingDirectory: directory)
            }
            #expect(settings(.init()).url == "http://127.0.0.1:8081")
            #expect(settings(.init(), ["SLIPWAY_URL": "http://a"]).url == "http://a")
            #expect(settings(.init(url: "http://b"), ["SLIPWAY_URL": "http://a"]).url == "http://b")
            #expect(try settings(.init()).token() == "from-file")
            #expect(try settings(.init(), ["SLIPWAY_DATA": "data"]).token() == "from-data")
            #expect(try settings(.init(data: directory.appending("data").string)).token() == "from-data")
            #expect(try settings(.init(), ["SLIPWAY_TOKEN": "variable"]).token() == "variable")
            #expect(try settings(.init(), ["SLIPWAY_TOKEN": ""]).token() == "from-file")
            #expect(try settings(.init(token: "option"), ["SLIPWAY_TOKEN": "variable"]).token() == "option")
            #expect(try settings(.init()).application() == "blog")
            #expect(try settings(.init(), ["SLIPWAY_APP": "shop"]).application() == "shop")
            #expect(try settings(.init(application: "mine"), ["SLIPWAY_APP": "shop"]).application() == "mine")
            let nowhere = settings(.init(data: "nowhere"))
            let error = #expect(throws: ClientError.self) { _ = try nowhere.token() }
            #expect(error?.message.contains("nowhere/admin-token") == true)
        }
    }

    @Test(arguments: [
        ([0x1f, 0x8b, 8], "application/gzip"), ([0x50, 0x4b, 3, 4], "application/zip"),
        ([0x28, 0xb5, 0x2f, 0xfd], "application/zstd"),
        ([UInt8](repeating: 0, count: 257) + Array("ustar\0".utf8), "application/x-tar"), ([], nil),
        (Array("Rar!".utf8), nil),
    ])
    func `knows archives by their first bytes`(head: [UInt8], type: String?) {
        #expect(FileArchive.mediaType(of: head) == type)
    }
}
