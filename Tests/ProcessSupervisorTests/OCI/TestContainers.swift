import SystemPackage
import TestSupport

@testable import ProcessSupervisor

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Containers of a test's own.
enum TestContainers {
    /// Finds out by really starting a program. Where nothing may be skipped, it is not asked.
    static var areUsable: Bool {
        get async {
            if ProcessInfo.processInfo.environment["CI"] == "true" { return true }
            return (try? await Self.with { await Isolation.probe(runtime: $0)[.oci] == .works }) ?? false
        }
    }

    /// Gives `body` a runtime with a directory of its own, and removes what is left when it returns.
    static func with<R>(_ body: (OCIRuntime) async throws -> R) async throws -> R {
        try await withTemporaryDirectory { directory in
            let runtime = OCIRuntime(directory: directory.appending("containers"))
            let result = await Result { try await body(runtime) }
            try await OCILauncher(runtime: runtime).endLeftovers(except: [])
            return try result.get()
        }
    }

    /// The starts that have a container, or something that is left of one.
    static func startIDs(_ runtime: OCIRuntime) -> Set<String> {
        Set(GroupFiles.directories(in: runtime.directory.appending("bundles").string))
    }
}

extension Result where Failure == any Error {
    /// What came of an asynchronous body.
    init(_ body: () async throws -> Success) async {
        do {
            self = .success(try await body())
        } catch {
            self = .failure(error)
        }
    }
}
