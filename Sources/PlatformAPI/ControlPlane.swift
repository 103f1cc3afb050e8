public import GitReceiver
public import PlatformKit
public import PlatformWire
public import SlugStore

/// What the API is a face of: `Platform`, or in tests a fake of it.
///
/// ## Promises a conformer keeps
/// - Every operation throws `PlatformError`, `notFound` for an unknown application, and ends when its task is cancelled.
/// - Long operations call their output from one task at a time, and end when it throws.
public protocol ControlPlane: Sendable {
    /// Whether operations that change something are possible yet.
    var isReady: Bool { get }
    /// Every metric in the Prometheus text format.
    func metricsText() async -> String
    /// Who has this token; throws `unauthorised` when nobody has.
    func authenticate(token: String) async throws(PlatformError) -> Principal
    /// Answers a request of a git client.
    func respond<Body: AsyncSequence & Sendable>(
        toGit request: GitRequest, body: Body
    ) async throws -> GitResponse where Body.Element == [UInt8]

    /// Creates an application.
    func createApplication(named name: String, by principal: Principal) async throws(PlatformError) -> ApplicationInfo
    /// All applications.
    func applications() async throws(PlatformError) -> [ApplicationInfo]
    /// One application.
    func application(named name: String) async throws(PlatformError) -> ApplicationInfo
    /// Gives an application another name.
    func renameApplication(
        _ name: String, to newName: String, by principal: Principal
    ) async throws(PlatformError) -> ApplicationInfo
    /// Removes an application with all that belongs to it.
    func destroyApplication(_ name: String, by principal: Principal) async throws(PlatformError)
    /// Switches the maintenance page.
    func setMaintenance(
        _ enabled: Bool, of name: String, by principal: Principal
    ) async throws(PlatformError) -> ApplicationInfo
    /// The config variables of an application.
    func config(of name: String) async throws(PlatformError) -> [String: String]
    /// Changes config variables and rolls the change out; `nil` when nothing is deployed yet.
    func setConfig(
        _ changes: [String: String?], of name: String, by principal: Principal, output: any ProgressOutput
    ) async throws(PlatformError) -> ReleaseInfo?
    /// Deploys a source; returns when it is live.
    func deploy(
        _ source: DeploymentSource, to name: String, by principal: Principal, output: any ProgressOutput
    ) async throws(PlatformError) -> DeploymentInfo
    /// The deployments of an application, newest first.
    func deployments(of name: String) async throws(PlatformError) -> [DeploymentInfo]
    /// One deployment.
    func deployment(_ number: Int, of name: String) async throws(PlatformError) -> DeploymentInfo
    /// What a deployment printed.
    func deploymentLog(_ number: Int, of name: String) async throws(PlatformError) -> String
    /// Ends a deployment.
    func cancelDeployment(
        _ number: Int, of name: String, by principal: Principal
    ) async throws(PlatformError) -> DeploymentInfo
    /// The releases of an application, newest first.
    func releases(of name: String) async throws(PlatformError) -> [ReleaseInfo]
    /// One release.
    func release(_ version: Int, of name: String) async throws(PlatformError) -> ReleaseInfo
    /// Pins a release, or lets it go again.
    func setPin(
        _ isPinned: Bool, of version: Int, of name: String, by principal: Principal
    ) async throws(PlatformError) -> ReleaseInfo
    /// The files of a release as an archive.
    func archive(
        of version: Int, of name: String, compression: TreeArchiver.Compression
    ) async throws(PlatformError) -> ReleaseArchive
    /// What a release changed in the files of the application.
    func slugDifference(
        from old: Int?, to new: Int, of name: String, limit: Int
    ) async throws(PlatformError) -> SlugDifferenceInfo
    /// All slugs, oldest first.
    func storedSlugs() async throws(PlatformError) -> [SlugInfo]
    /// Reads and checks what the slug store keeps.
    func checkSlugs(
        share: Double, by principal: Principal, output: any ProgressOutput
    ) async throws(PlatformError) -> SlugCheckInfo
    /// Gives back the space that no slug needs.
    func collectSlugGarbage(by principal: Principal) async throws(PlatformError) -> SlugGarbageInfo
    /// Makes a new release of an old one.
    func rollback(
        _ name: String, to version: Int?, by principal: Principal, output: any ProgressOutput
    ) async throws(PlatformError) -> ReleaseInfo
    /// The instances of an application.
    func instances(of name: String) async throws(PlatformError) -> [InstanceInfo]
    /// Sets the formation, and the sizes of process types.
    func scale(
        _ name: String, to quantities: [String: Int], sizes: [String: String], by principal: Principal,
        output: any ProgressOutput
    ) async throws(PlatformError) -> [InstanceInfo]
    /// Replaces instances.
    func restart(
        _ target: String?, of name: String, by principal: Principal, output: any ProgressOutput
    ) async throws(PlatformError)
    /// Stops one instance, or ends a one-off.
    func stopInstance(_ instance: String, of name: String, by principal: Principal) async throws(PlatformError)
    /// Runs a one-off.
    func runOneOff(
        _ request: OneOffRequest, of name: String, by principal: Principal, session: OneOffSession
    ) async throws(PlatformError) -> OneOffResult
    /// The one-offs that run.
    func oneOffs(of name: String) async throws(PlatformError) -> [OneOffInfo]
    /// The last lines of an application's log.
    func recentLogs(
        of name: String, limit: Int, sources: Set<String>?, process: String?
    ) async throws(PlatformError) -> [LogLineInfo]
    /// The last lines of an application's log and those to come.
    func tailLogs(
        of name: String, last: Int, sources: Set<String>?, process: String?
    ) async throws(PlatformError) -> AsyncStream<LogLineInfo>
    /// The five signals of an application.
    func metrics(of name: String, since window: Duration) async throws(PlatformError) -> MetricsInfo
    /// The hosts that lead to an application.
    func domains(of name: String) async throws(PlatformError) -> [String]
    /// Adds a host.
    func addDomain(_ host: String, to name: String, by principal: Principal) async throws(PlatformError) -> [String]
    /// Removes a host.
    func removeDomain(
        _ host: String, from name: String, by principal: Principal
    ) async throws(PlatformError) -> [String]
    /// Adds a certificate with its key, for an application or for the platform itself.
    func addCertificate(
        _ upload: CertificateUpload, to name: String?, by principal: Principal
    ) async throws(PlatformError) -> CertificateInfo
    /// Removes an added certificate.
    func removeCertificate(
        host: String, of name: String?, by principal: Principal
    ) async throws(PlatformError) -> CertificateInfo
    /// The certificates of an application, or all.
    func certificates(of name: String?) async throws(PlatformError) -> [CertificateInfo]
    /// How an application is reached over HTTPS.
    func https(of name: String) async throws(PlatformError) -> HTTPSInfo
    /// Changes how an application is reached over HTTPS.
    func setHTTPS(
        _ change: HTTPSChange, of name: String, by principal: Principal
    ) async throws(PlatformError) -> HTTPSInfo
    /// The last changes, newest first.
    func audit(limit: Int) async throws(PlatformError) -> [AuditEntry]
}
