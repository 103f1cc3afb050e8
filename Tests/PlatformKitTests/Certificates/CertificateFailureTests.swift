import PlatformKitTesting
import PlatformWire
import RouterCore
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import PlatformKit

@Suite(.timeLimit(.minutes(1))) struct CertificateFailureTests {
    @Test func `what was recorded is no error when it cannot be put into use, and is with the next change`()
        async throws
    {
        try await withTemporaryDirectory { directory in
            let authority = try LocalAuthority()
            let certificates = CertificateStore()
            let store = ForgetfulStore(try SQLitePlatformStore())
            try await Harness(directory, store: store, certificates: certificates).running { host in
                try await host.create()
                let issued = try authority.issue("blog.localhost")
                let upload = CertificateUpload(certificate: issued.certificate, key: issued.key)

                store.failsAfterNextWrite()
                let added = try await host.platform.addCertificate(upload, to: "blog", by: Harness.ada)
                #expect(added.hosts == ["blog.localhost"] && added.servedHosts.isEmpty)
                #expect(store.failures == 1 && certificates.certificates.isEmpty)
                _ = try await host.platform.addDomain("www.example.com", to: "blog", by: Harness.ada)
                #expect(Array(certificates.certificates.keys) == ["blog.localhost"])

                store.failsAfterNextWrite()
                let removed = try await host.platform.removeCertificate(
                    host: "blog.localhost", of: "blog", by: Harness.ada)
                #expect(removed.hosts == ["blog.localhost"])
                #expect(store.failures == 2 && certificates.certificates.count == 1)
                _ = try await host.platform.removeDomain("www.example.com", from: "blog", by: Harness.ada)
                #expect(certificates.certificates.isEmpty)
            }
        }
    }
}

/// A store whose first look after a change fails, when it is told so.
private final class ForgetfulStore: PlatformStore {
    private struct Failure: Error {}
    private struct State {
        var isArmed = false
        var isDue = false
        var failures = 0
    }

    private let store: any PlatformStore
    private let state = Mutex(State())

    init(_ store: any PlatformStore) { self.store = store }

    var failures: Int { self.state.withLock { $0.failures } }

    func failsAfterNextWrite() { self.state.withLock { $0.isArmed = true } }

    func read<R: Sendable>(_ body: @escaping @Sendable (any PlatformRecordsReading) throws -> R) async throws -> R {
        try self.state.withLock { state in
            guard state.isDue else { return }
            state.isDue = false
            state.failures += 1
            throw Failure()
        }
        return try await self.store.read(body)
    }

    func write<R: Sendable>(_ body: @escaping @Sendable (any PlatformRecordsWriting) throws -> R) async throws -> R {
        let result = try await self.store.write(body)
        self.state.withLock { state in
            if state.isArmed { (state.isArmed, state.isDue) = (false, true) }
        }
        return result
    }
}
