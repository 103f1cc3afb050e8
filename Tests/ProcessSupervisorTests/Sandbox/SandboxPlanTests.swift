import SystemPackage
import Testing

@testable import ProcessSupervisor

/// What a sandbox is made of, without making one.
@Suite struct SandboxPlanTests {
    /// A host with merged directories of programs, an application and the platform's data.
    static let host = HostFiles(
        inspect: { path in
            switch path {
            case "/usr", "/srv/data", "/srv", "/srv/data/slugs/a": .directory
            case "/bin": .link(to: "usr/bin")
            default: .missing
            }
        },
        resolve: { path in path == "/etc/resolv.conf" ? "/run/resolved/resolv.conf" : path })

    static func plan(
        _ policy: SandboxPolicy = SandboxPolicy(), in directory: String = "/srv/data/slugs/a",
        home: String? = nil
    ) -> SandboxPlan {
        let process = ProcessSpec(
            arguments: ["web"], environment: home.map { ["HOME": $0] } ?? [:], workingDirectory: directory)
        return SandboxPlan(policy, for: process, owner: UserSpec(uid: 7, gid: 8), host: Self.host)
    }

    static func mount(at target: String, in plan: SandboxPlan) -> SandboxMount? {
        plan.mounts.last { $0.target == target }
    }

    @Test func `shows programs read-only, links as links, and leaves out what is missing`() {
        let plan = Self.plan()
        #expect(Self.mount(at: "/usr", in: plan) == SandboxMount(.tree, from: "/usr", at: "/usr", .readOnly))
        #expect(Self.mount(at: "/bin", in: plan) == SandboxMount(.symlink, from: "usr/bin", at: "/bin"))
        #expect(Self.mount(at: "/lib64", in: plan) == nil)
        #expect(plan.shows("/bin/sh"))
        #expect(!plan.shows("/opt/tool"))
    }

    @Test func `follows a file of etc to where it leads`() {
        #expect(Self.mount(at: "/etc/resolv.conf", in: Self.plan())?.source == "/run/resolved/resolv.conf")
        #expect(Self.mount(at: "/etc/shadow", in: Self.plan()) == nil)
    }

    @Test(arguments: [
        (SandboxPolicy.TreeAccess.readOnly, SandboxMount.Kind.tree, SandboxMount.Flags.readOnly, ""),
        (.shared, .tree, SandboxMount.Flags(), ""),
        (.privateLayer(), .layered, SandboxMount.Flags(), "mode=0700,size=268435456,nr_inodes=65536"),
        (.privateLayer(bytes: 64 << 10), .layered, SandboxMount.Flags(), "mode=0700,size=65536,nr_inodes=16"),
    ])
    func `shows the tree under its own path`(
        access: SandboxPolicy.TreeAccess, kind: SandboxMount.Kind, flags: SandboxMount.Flags, data: String
    ) {
        let plan = Self.plan(SandboxPolicy(treeAccess: access))
        let tree = "/srv/data/slugs/a"
        #expect(Self.mount(at: tree, in: plan) == SandboxMount(kind, from: tree, at: tree, flags, data: data))
        #expect(!plan.shows("/srv/data/slugs/b"))
    }

    @Test func `gives each place to write to as many bytes as the limit says`() {
        var process = ProcessSpec(
            arguments: ["web"], environment: ["HOME": "/home/app"], workingDirectory: "/srv/data/slugs/a")
        process.limits.diskBytes = 1 << 20
        let plan = SandboxPlan(SandboxPolicy(), for: process, owner: UserSpec(uid: 7, gid: 8), host: Self.host)
        for target in ["/tmp", "/home/app", "/srv/data/slugs/a"] {
            #expect(Self.mount(at: target, in: plan)?.data.hasSuffix("size=1048576,nr_inodes=256") == true, "\(target)")
        }
    }

    @Test func `shows what it keeps, within the data that is hidden`() {
        var process = ProcessSpec(arguments: ["web"], workingDirectory: "/srv/data/slugs/a")
        process.storage = ["/srv/data/storage/a"]
        let policy = SandboxPolicy(binds: [.init("/srv")], hiddenPaths: ["/srv/data"])
        let plan = SandboxPlan(policy, for: process, owner: UserSpec(uid: 7, gid: 8), host: Self.host)
        let path = "/srv/data/storage/a"
        #expect(Self.mount(at: path, in: plan) == SandboxMount(.tree, from: path, at: path))
    }

    @Test(arguments: ["/", "/usr/lib/app", "/tmp", "/proc", "/etc/x"])
    func `mounts nothing for a working directory that is there anyway`(directory: String) {
        #expect(!Self.plan(in: directory).mounts.contains { $0.kind == .tree && $0.target == directory })
    }

    @Test func `shows the tree again within what is hidden within what is shown`() throws {
        let policy = SandboxPolicy(binds: [.init("/srv")], hiddenPaths: ["/srv/data"])
        let targets = Self.plan(policy, in: "/srv/data/slugs/a").mounts.map(\.target).filter { $0.hasPrefix("/srv") }
        #expect(targets == ["/srv", "/srv/data", "/srv/data/slugs/a"])
    }

    @Test(arguments: [
        ("/home/app", true), ("/srv/data/slugs/a", false), ("/srv/data/slugs/a/x", false), ("/tmp/x", false),
        ("/", false), ("relative", false), ("/usr/x", false),
    ])
    func `makes a home where HOME says something that is not there`(home: String, isMade: Bool) {
        let mount = Self.mount(at: home, in: Self.plan(home: home))
        #expect((mount?.kind == .new && mount?.data.hasPrefix("mode=0700,uid=7,gid=8,size=") == true) == isMade)
    }

    @Test func `puts outer ones before inner ones`() {
        let policy = SandboxPolicy(binds: [.init("/srv/data/slugs/a/assets"), .init("/srv/x")])
        let targets = Self.plan(policy, home: "/srv").mounts.map(\.target).filter { $0.hasPrefix("/srv") }
        #expect(targets == ["/srv", "/srv/x", "/srv/data/slugs/a", "/srv/data/slugs/a/assets"])
    }

    @Test func `lets no file system be without bounds or with set-user-id programs`() {
        for mount in Self.plan(home: "/home/app").mounts where mount.source == "tmpfs" {
            #expect(mount.data.contains("size=") && mount.data.contains("nr_inodes="), "\(mount.target)")
        }
    }

    @Test(arguments: [
        SandboxPolicy(systemPaths: ["usr"]), SandboxPolicy(hiddenPaths: ["/a/../b"]),
        SandboxPolicy(binds: [.init("x")]),
        SandboxPolicy(configurationNames: ["../shadow"]), SandboxPolicy(configurationNames: [".."]),
        SandboxPolicy(temporaryBytes: 65535), SandboxPolicy(homeBytes: (1 << 50) + 1),
        SandboxPolicy(sharedMemoryBytes: 0), SandboxPolicy(treeAccess: .privateLayer(bytes: 65535)),
    ])
    func `refuses a policy that no sandbox could be made of`(policy: SandboxPolicy) {
        #expect(throws: SupervisorError.self) { try SandboxLauncher(policy: policy) }
    }

    @Test func `takes the smallest sizes`() throws {
        _ = try SandboxLauncher(
            policy: SandboxPolicy(temporaryBytes: 64 << 10, homeBytes: 64 << 10, sharedMemoryBytes: 64 << 10))
    }
}
