#if os(Linux)
    import Foundation
    import SystemPackage
    import TestSupport
    import Testing

    @testable import RouterCore

    @Suite struct `The directory where routers meet` {
        @Test(arguments: [
            (0o700, true), (0o755, true), (0o1777, true), (0o1770, true), (0o770, false), (0o707, false),
            (0o777, false),
        ])
        func `is one where nobody else can replace the socket`(mode: Int, isFine: Bool) async throws {
            try await withTemporaryDirectory { directory in
                try #require(chmod(directory.string, mode_t(mode)) == 0)
                let path = directory.appending("router.sock")
                if isFine {
                    try HandoverPath(path).publish()
                } else {
                    let error = #expect(throws: RouterError.self) { try HandoverPath(path) }
                    #expect(error?.code == .handoverFailed)
                    #expect(error?.message.contains("chmod go-w") == true)
                    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.string).isEmpty)
                }
            }
        }

        @Test(.enabled(if: geteuid() == 0, "only the superuser can give a directory away"))
        func `is not another user's`() async throws {
            try await withTemporaryDirectory { directory in
                try #require(chown(directory.string, 65534, 65534) == 0)
                let error = #expect(throws: RouterError.self) { try HandoverPath(directory.appending("router.sock")) }
                #expect(error?.message.contains("another user") == true)
            }
        }
    }
#endif
