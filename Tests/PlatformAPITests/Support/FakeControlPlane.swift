import Foundation
import GitReceiver
import PlatformAPI
import PlatformKit
import PlatformWire
import SlugStore
import Synchronization
import SystemPackage

/// A control plane of one application, `blog`, whose long operations do what the test says.
final class FakeControlPlane: ControlPlane {
    struct State {
        var isReady = true
        /// What the files of releases are.
        var tree: FilePath?
        var created: [String] = []
        var destroyed: [String] = []
        var configChanges: [[String: String?]] = []
        var scaled: [[String: Int]] = []
        var operation: @Sendable (any ProgressOutput) async throws -> Void = { _ in }
        var oneOff: @Sendable (OneOffRequest, OneOffSession) async throws -> Int32 = { _, _ in 0 }
        var deploy: @Sendable (DeploymentSource) async throws -> Void = { _ in }
        var git: @Sendable (GitRequest, [UInt8]) async throws -> GitResponse = { _, _ in
            GitResponse(status: 200, headers: [], body: .bytes([]))
        }
    }

    let state = Mutex(State())
    /// What became of long operations: `done` or `cancelled`.
    let outcomes: AsyncStream<String>
    private let outcome: AsyncStream<String>.Continuation

    static let tokens = [
        "admin-token": Principal(name: "ada", role: .admin), "deploy-token": Principal(name: "dan", role: .deploy),
        "read-token": Principal(name: "rita", role: .read),
    ]

    init() {
        (self.outcomes, self.outcome) = AsyncStream.makeStream()
    }

    /// Runs what the test wants to happen in a long operation, and says how it ended.
    private func operate<Value>(_ output: any ProgressOutput, _ value: Value) async throws(PlatformError) -> Value {
        let operation = self.state.withLock { $0.operation }
        do {
            try await operation(output)
            self.outcome.yield("done")
            return value
        } catch let error as PlatformError {
            throw error
        } catch {
            self.outcome.yield("cancelled")
            throw PlatformError(.cancelled, "somebody cancelled it", cause: error)
        }
    }

    private func check(_ name: String) throws(PlatformError) {
        if name != "blog" { throw PlatformError(.notFound, "there is no application \(name)") }
    }

    static let date = Date(timeIntervalSince1970: 1_795_230_539.125)
    static func application(_ name: String, maintenance: Bool = false) -> ApplicationInfo {
        ApplicationInfo(
            name: name, createdAt: Self.date, release: 2, maintenance: maintenance,
            url: "http://\(name).localhost:8080", gitURL: "http://127.0.0.1:8081/git/\(name).git",
            domains: ["\(name).localhost"], formation: ["web": 2])
    }
    static let release = ReleaseInfo(
        version: 2, slug: "abc", description: "Deploy 1a2b3c4d", author: "ada", commit: nil,
        processTypes: ["web": "run"], configKeys: ["KEY"], createdAt: date, isLive: true)
    static let deployment = DeploymentInfo(
        number: 7, state: .live, description: "archive", author: "ada", commit: nil, release: 2, cause: nil,
        createdAt: date, finishedAt: date)
    static let instance = InstanceInfo(
        name: "web.1", release: 2, state: "ready", pid: 42, port: 5000, startedAt: date, restarts: 0, lastExit: nil,
        lastProbe: nil, memoryBytes: 1 << 20, isRouted: true)
    static func logLine(_ sequence: UInt64, _ text: String) -> LogLineInfo {
        LogLineInfo(sequence: sequence, timestamp: Self.date, source: "app", process: "web.1", text: text)
    }

    var isReady: Bool { self.state.withLock { $0.isReady } }
    func metricsText() async -> String { "up 1\n" }

    func authenticate(token: String) async throws(PlatformError) -> Principal {
        guard let principal = Self.tokens[token] else { throw PlatformError(.unauthorised, "the token is not known") }
        return principal
    }

    func respond<Body: AsyncSequence & Sendable>(
        toGit request: GitRequest, body: Body
    ) async throws -> GitResponse where Body.Element == [UInt8] {
        var bytes: [UInt8] = []
        for try await part in body { bytes += part }
        let git = self.state.withLock { $0.git }
        return try await git(request, bytes)
    }

    func createApplication(named name: String, by principal: Principal) async throws(PlatformError) -> ApplicationInfo {
        self.state.withLock { $0.created.append("\(name) by \(principal.name)") }
        return Self.application(name)
    }
    func applications() async throws(PlatformError) -> [ApplicationInfo] { [Self.application("blog")] }
    func application(named name: String) async throws(PlatformError) -> ApplicationInfo {
        try self.check(name)
        return Self.application(name)
    }
    func renameApplication(
        _ name: String, to newName: String, by principal: Principal
    ) async throws(PlatformError) -> ApplicationInfo {
        try self.check(name)
        return Self.application(newName)
    }
    func destroyApplication(_ name: String, by principal: Principal) async throws(PlatformError) {
        try self.check(name)
        self.state.withLock { $0.destroyed.append(name) }
    }
    func setMaintenance(
        _ enabled: Bool, of name: String, by principal: Principal
    ) async throws(PlatformError) -> ApplicationInfo {
        Self.application(name, maintenance: enabled)
    }
    func config(of name: String) async throws(PlatformError) -> [String: String] { ["KEY": "a value"] }
    func setConfig(
        _ changes: [String: String?], of name: String, by principal: Principal, output: any ProgressOutput
    ) async throws(PlatformError) -> ReleaseInfo? {
        self.state.withLock { $0.configChanges.append(changes) }
        return try await self.operate(output, nil)
    }
    func deploy(
        _ source: DeploymentSource, to name: String, by principal: Principal, output: any ProgressOutput
    ) async throws(PlatformError) -> DeploymentInfo {
        let deploy = self.state.withLock { $0.deploy }
        do { try await deploy(source) } catch { throw PlatformError(.refused, "\(error)") }
        return try await self.operate(output, Self.deployment)
    }
    func deployments(of name: String) async throws(PlatformError) -> [DeploymentInfo] { [Self.deployment] }
    func deployment(_ number: Int, of name: String) async throws(PlatformError) -> DeploymentInfo {
        if number != 7 { throw PlatformError(.notFound, "\(name) has no build \(number)") }
        return Self.deployment
    }
    func deploymentLog(_ number: Int, of name: String) async throws(PlatformError) -> String { "-----> Größe\n" }
    func cancelDeployment(
        _ number: Int, of name: String, by principal: Principal
    ) async throws(PlatformError) -> DeploymentInfo { Self.deployment }
    func releases(of name: String) async throws(PlatformError) -> [ReleaseInfo] { [Self.release] }
    func release(_ version: Int, of name: String) async throws(PlatformError) -> ReleaseInfo { Self.release }
    func setPin(
        _ isPinned: Bool, of version: Int, of name: String, by principal: Principal
    ) async throws(PlatformError) -> ReleaseInfo {
        var release = Self.release
        (release.version, release.isPinned) = (version, isPinned)
        return release
    }
    func archive(
        of version: Int, of name: String, compression: TreeArchiver.Compression
    ) async throws(PlatformError) -> ReleaseArchive {
        try self.check(name)
        guard let tree = self.state.withLock({ $0.tree }) else {
            throw PlatformError(.conflict, "the slug of v\(version) was removed")
        }
        return ReleaseArchive(TreeArchiver(compression: compression).archive(tree))
    }
    func slugDifference(
        from old: Int?, to new: Int, of name: String, limit: Int
    ) async throws(PlatformError) -> SlugDifferenceInfo {
        SlugDifferenceInfo(
            added: old ?? 0, removed: 0, changed: new, bytesIn: 5, bytesOut: 7,
            entries: [.init(change: .changed, path: "app.py", oldBytes: 7, newBytes: 5)])
    }
    func storedSlugs() async throws(PlatformError) -> [SlugInfo] {
        [
            SlugInfo(
                id: "abc", files: 3, bytes: 1_000, newBytesStored: 100, createdAt: Self.date, buildpacks: ["python"],
                uses: [.init(application: "blog", release: 2, isLive: true, isPinned: false)])
        ]
    }
    func checkSlugs(
        share: Double, by principal: Principal, output: any ProgressOutput
    ) async throws(PlatformError) -> SlugCheckInfo {
        try await self.operate(output, SlugCheckInfo(slugs: 1, bytes: Int64(share * 100), damages: [], lostSlugs: []))
    }
    func collectSlugGarbage(by principal: Principal) async throws(PlatformError) -> SlugGarbageInfo {
        SlugGarbageInfo(slugs: 1, chunks: 2, bytes: 3)
    }
    func rollback(
        _ name: String, to version: Int?, by principal: Principal, output: any ProgressOutput
    ) async throws(PlatformError) -> ReleaseInfo { try await self.operate(output, Self.release) }
    func instances(of name: String) async throws(PlatformError) -> [InstanceInfo] { [Self.instance] }
    func scale(
        _ name: String, to quantities: [String: Int], sizes: [String: String], by principal: Principal,
        output: any ProgressOutput
    ) async throws(PlatformError) -> [InstanceInfo] {
        self.state.withLock { $0.scaled.append(quantities) }
        return try await self.operate(output, [Self.instance])
    }
    func restart(
        _ target: String?, of name: String, by principal: Principal, output: any ProgressOutput
    ) async throws(PlatformError) { try await self.operate(output, ()) }
    func stopInstance(_ instance: String, of name: String, by principal: Principal) async throws(PlatformError) {}
    func oneOffs(of name: String) async throws(PlatformError) -> [OneOffInfo] {
        [
            OneOffInfo(
                name: "run.1", command: ["bash"], release: 2, author: "ada", startedAt: Self.date, isAttached: true,
                hasTerminal: true, size: "unlimited", endsAt: nil)
        ]
    }
    func runOneOff(
        _ request: OneOffRequest, of name: String, by principal: Principal, session: OneOffSession
    ) async throws(PlatformError) -> OneOffResult {
        try self.check(name)
        let oneOff = self.state.withLock { $0.oneOff }
        do { return OneOffResult(name: "run.1", status: try await oneOff(request, session)) } catch {
            self.outcome.yield("cancelled")
            throw PlatformError(.cancelled, "the client went away")
        }
    }
    func recentLogs(
        of name: String, limit: Int, sources: Set<String>?, process: String?
    ) async throws(PlatformError) -> [LogLineInfo] {
        (1...3).suffix(limit).map {
            Self.logLine($0, "\(sources?.sorted().joined(separator: "+") ?? "all") \(process ?? "-")")
        }
    }
    func tailLogs(
        of name: String, last: Int, sources: Set<String>?, process: String?
    ) async throws(PlatformError) -> AsyncStream<LogLineInfo> {
        let outcome = self.outcome
        return AsyncStream { continuation in
            continuation.yield(Self.logLine(1, "first"))
            continuation.yield(Self.logLine(2, "second"))
            continuation.onTermination = { _ in outcome.yield("cancelled") }
        }
    }
    func metrics(of name: String, since window: Duration) async throws(PlatformError) -> MetricsInfo {
        MetricsInfo(
            windowSeconds: Double(window.components.seconds), requests: 0, throughput: 0, serverErrors: 0,
            clientErrors: 0, errorRate: 0, p50Milliseconds: nil, p95Milliseconds: nil, p99Milliseconds: nil,
            cpuCores: 0, memoryBytes: 0, instancesReady: 1, instancesWanted: 2, restarts: 0, errorsByCode: [:])
    }
    func domains(of name: String) async throws(PlatformError) -> [String] { ["blog.localhost"] }
    func addDomain(_ host: String, to name: String, by principal: Principal) async throws(PlatformError) -> [String] {
        ["blog.localhost", host]
    }
    func removeDomain(
        _ host: String, from name: String, by principal: Principal
    ) async throws(PlatformError) -> [String] { ["not \(host)"] }
    static func certificate(_ application: String?, hosts: [String]) -> CertificateInfo {
        CertificateInfo(
            source: "added", application: application, hosts: hosts, servedHosts: hosts, state: "valid",
            subject: "CN=blog.example.com", issuer: "CN=Test", notBefore: Self.date, notAfter: Self.date, daysLeft: 9)
    }
    func addCertificate(
        _ upload: CertificateUpload, to name: String?, by principal: Principal
    ) async throws(PlatformError) -> CertificateInfo {
        if let name { try self.check(name) }
        return Self.certificate(name, hosts: [upload.certificate])
    }
    func removeCertificate(
        host: String, of name: String?, by principal: Principal
    ) async throws(PlatformError) -> CertificateInfo { Self.certificate(name, hosts: [host]) }
    func certificates(of name: String?) async throws(PlatformError) -> [CertificateInfo] {
        [Self.certificate(name, hosts: ["blog.example.com"])]
    }
    func https(of name: String) async throws(PlatformError) -> HTTPSInfo {
        HTTPSInfo(
            isServed: true, enforced: false, hstsSeconds: nil, automaticCertificates: false,
            securedHosts: ["blog.example.com"],
            unsecuredHosts: ["blog.localhost"])
    }
    func setHTTPS(
        _ change: HTTPSChange, of name: String, by principal: Principal
    ) async throws(PlatformError) -> HTTPSInfo {
        HTTPSInfo(
            isServed: true, enforced: change.enforced ?? false, hstsSeconds: change.hstsSeconds,
            automaticCertificates: change.automaticCertificates ?? false, securedHosts: [], unsecuredHosts: [])
    }
    func audit(limit: Int) async throws(PlatformError) -> [AuditEntry] {
        [AuditEntry(at: Self.date, actor: "ada", action: "app.create", application: "blog", detail: "")]
    }
}
