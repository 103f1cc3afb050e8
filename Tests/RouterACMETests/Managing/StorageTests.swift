import Foundation
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import RouterACME

@Suite struct `Certificates in a directory` {
    @Test func `are there after they were written, for their owner only`() async throws {
        try await withTemporaryDirectory { directory in
            let storage = DirectoryACMEStorage(directory: directory.appending("deep").appending("acme"))
            #expect(try await storage.read("certificates/a.example.json") == nil)
            #expect(try await storage.names(in: "certificates").isEmpty)
            try await storage.write("certificates/a.example.json", Array("old".utf8))
            try await storage.write("certificates/a.example.json", Array("new".utf8))
            try await storage.write("certificates/b.example.json", [])
            #expect(try await storage.read("certificates/a.example.json") == Array("new".utf8))
            #expect(try await storage.names(in: "certificates") == ["a.example.json", "b.example.json"])
            let file = storage.directory.appending("certificates").appending("a.example.json")
            let modes = try [file, file.removingLastComponent(), storage.directory].map { path in
                try FileManager.default.attributesOfItem(atPath: path.string)[.posixPermissions] as? Int
            }
            #expect(modes == [0o600, 0o700, 0o700])
            try await storage.remove("certificates/a.example.json")
            try await storage.remove("certificates/a.example.json")
            #expect(try await storage.names(in: "certificates") == ["b.example.json"])
            #expect(try FileManager.default.contentsOfDirectory(atPath: file.removingLastComponent().string).count == 1)
        }
    }

    @Test(arguments: [
        "", "/", "../x", "a/../b", "a/b/c", ".hidden", "a//b", "A", "a b", "a/", String(repeating: "a", count: 221),
    ])
    func `have no name that leads elsewhere`(name: String) async throws {
        try await withTemporaryDirectory { directory in
            let storage = DirectoryACMEStorage(directory: directory)
            await #expect(throws: ACMEError.self) { try await storage.write(name, []) }
            await #expect(throws: ACMEError.self) { _ = try await storage.read(name) }
        }
    }

    @Test func `are read one by one, and the damaged ones told`() async throws {
        let storage = MemoryACMEStorage()
        let records = RecordStore(storage: storage, directory: "https://ca.test")
        let long = Array(repeating: "abcdefghi", count: 24).joined(separator: ".") + ".example"
        for host in ["a.example", long] {
            try await records.write(
                CertificateRecord(host: host, directory: "d", chain: "c", key: "secret-key", isOnDemand: false))
        }
        storage.files.withLock { files in
            files["certificates/b.example.json"] = Array(#"{"host":"b.example","key":"secret-key""#.utf8)
            files["certificates/c.example.json"] = files["certificates/a.example.json"]
            files["certificates/readme.txt"] = []
        }
        let (read, errors) = try await records.certificates()
        #expect(Set(read.map(\.host)) == ["a.example", long])
        #expect(errors.count == 2)
        #expect(errors.allSatisfy { $0.code == .storage && !"\($0)".contains("secret-key") })
    }
}
