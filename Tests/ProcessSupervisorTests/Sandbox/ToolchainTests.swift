import SystemPackage
import Testing

@testable import ProcessSupervisor

/// Which toolchains a search path has sandboxes show.
@Suite struct ToolchainTests {
    static let host = HostFiles(
        inspect: { $0.string.contains("missing") ? .missing : .directory },
        resolve: { path in
            path == "/srv/go/bin" ? "/data2/go-1.22/bin" : path == "/srv/escape/bin" ? "/data/slugs/bin" : path
        })

    @Test(arguments: [
        ("/usr/bin:/bin", []),
        ("/root/.pyenv/shims", ["/root/.pyenv"]),
        ("/home/me/.nvm/versions/node/v20/bin", ["/home/me/.nvm/versions/node/v20"]),
        ("/srv/tool/sbin:/srv/tool/bin", ["/srv/tool"]),
        ("/srv/programs", ["/srv/programs"]),
        // Under both paths.
        ("/srv/go/bin", ["/srv/go", "/data2/go-1.22"]),
        // The directory around it would show too much.
        ("/snap/bin", ["/snap/bin"]),
        ("/home/me/bin", ["/home/me/bin"]),
        ("/root/bin", ["/root/bin"]),
        ("/home/me/.local/bin:/home/me/.cargo/bin", ["/home/me/.local/bin", "/home/me/.cargo/bin"]),
        // As would this itself.
        ("/home/me:/home:/root:/", []),
        ("/data:/data/slugs/x/bin:/srv/escape/bin", []),
        ("/proc/1/bin:/etc/tool/bin:/srv/missing/bin", []),
        ("relative/bin:/a/../b/bin::.", []),
    ])
    func `shows what is around programs, and no more`(searchPath: String, expected: [FilePath]) {
        var policy = SandboxPolicy()
        policy.showToolchains(of: searchPath, homes: ["/home/me"], except: ["/data"], host: Self.host)
        #expect(policy.binds.map(\.source) == expected)
        #expect(policy.binds.allSatisfy { !$0.isWritable && $0.target == $0.source })
    }
}
