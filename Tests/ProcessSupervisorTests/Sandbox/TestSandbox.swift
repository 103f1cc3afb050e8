import Testing

@testable import ProcessSupervisor

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Whether sandboxes can be tested here, and what of.
enum TestSandbox {
    /// As a sandbox is by default, but that processes write to their working directory for all to see.
    static let policy = SandboxPolicy(treeAccess: .shared)

    /// Finds out by really starting a program. Where nothing may be skipped, it is not asked.
    static var isUsable: Bool {
        get async {
            if ProcessInfo.processInfo.environment["CI"] == "true" { return true }
            return await Isolation.probe()[.sandbox] == .works
        }
    }

    /// Whether the first process of a start's sandbox is there, by the mark in its command line.
    static func exists(of startID: String) -> Bool {
        Procfs.processes().contains { entry in
            (try? String(contentsOfFile: "/proc/\(entry.pid)/cmdline", encoding: .utf8))
                == "slipway-sandbox\0\(startID)\0"
        }
    }
}
