import SystemPackage
import Testing

@testable import ProcessSupervisor

@Suite struct OCIBundleTests {
    private static let host = HostFiles(
        inspect: { path in
            switch path {
            case "/usr", "/srv/app": .directory
            case "/bin": .link(to: "usr/bin")
            case "/etc/passwd": .file
            default: .missing
            }
        }, resolve: { $0 })

    private static func bundle() -> OCIBundle {
        let process = ProcessSpec(
            arguments: ["server"], environment: ["HOME": "/home/app"], workingDirectory: "/srv/app")
        let user = UserSpec(uid: 20001, gid: 20002)
        let plan = SandboxPlan(SandboxPolicy(), for: process, owner: user, host: Self.host)
        return OCIBundle(plan, startID: "abc", user: user, host: Self.host)
    }

    private static func mount(_ path: String) -> OCISpecification.Mount? {
        Self.bundle().specification.mounts.first { $0.destination == path }
    }

    @Test func `its first process has no rights`() {
        let process = Self.bundle().specification.process
        #expect(process.args == ["/.slipway-init", "abc"])
        #expect(process.user == .init(uid: 20001, gid: 20002))
        #expect(process.noNewPrivileges)
        #expect(process.capabilities == .init())
        #expect(process.rlimits.contains(.init("RLIMIT_RSS", ProcessTree.brand(ofSandbox: "abc"))))
    }

    @Test func `nothing of the host's is writable, and nothing that is missing is mounted`() {
        #expect(Self.bundle().specification.root.readonly)
        for path in ["/usr", "/srv/app"] {
            let options = Self.mount(path)?.options ?? []
            #expect(Set(["rbind", "ro", "rro", "rnosuid", "rnodev"]).isSubset(of: options), "\(path): \(options)")
        }
        let options = Set(Self.mount("/etc/passwd")?.options ?? [])
        #expect(options == ["bind", "rprivate", "ro", "nosuid", "nodev"], "a file has nothing beneath it")
        #expect(Self.mount("/etc/ssl") == nil)
        #expect(Self.mount("/sbin") == nil)
    }

    @Test func `links are made before anything is mounted, those in the devices by the runtime`() {
        let bundle = Self.bundle()
        #expect(bundle.links.contains(.init(path: "/bin", destination: "usr/bin")))
        #expect(!bundle.links.contains { $0.path.hasPrefix("/dev/") })
        #expect(bundle.directories == ["/run"])
    }

    @Test func `what is the instance's own is bounded`() {
        #expect(Self.mount("/tmp")?.options.contains("size=\(256 << 20)") == true)
        #expect(Self.mount("/tmp")?.options.contains("nodev") == true)
        #expect(Self.mount("/home/app")?.options.contains("uid=20001") == true)
        #expect(Self.mount("/dev")?.options.contains("nodev") == false)
    }

    @Test func `what of the kernel is not the instance's is masked or read-only`() {
        let linux = Self.bundle().specification.linux
        #expect(linux.maskedPaths.contains("/proc/kcore"))
        #expect(linux.readonlyPaths.contains("/proc/sys"))
        #expect(Set(linux.namespaces.map(\.type)) == ["mount", "pid", "ipc", "uts"])
    }
}
