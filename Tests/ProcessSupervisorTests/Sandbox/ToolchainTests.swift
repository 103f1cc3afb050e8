import SystemPackage
import Testing

@testable import ProcessSupervisor

/// Which toolchains a search path has sandboxes show.
@Suite struct ToolchainTests {
    static let host = HostFiles(
        inspect: { $0.string.contains("missing") ? .missing : .directory },
        resolve: { Self.links[$0] ?? $0 })

    static let links: [FilePath: FilePath] = [
        "/srv/go/bin": "/data2/go-1.22/bin", "/srv/escape/bin": "/data/slugs/bin", "/srv/home": "/home/me",
        "/srv/home/bin": "/home/me/bin",
    ]

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
        // A home by another name.
        ("/srv/home/bin", ["/srv/home/bin", "/home/me/bin"]),
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
