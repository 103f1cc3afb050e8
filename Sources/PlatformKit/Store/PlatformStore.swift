/// Keeps the desired state of a platform.
///
/// ## Promises a conformer keeps
/// - `write` is one transaction: either all of it is durable when the call returns, or, when the body throws, none of it.
/// - `write` bodies run one after the other; a `read` body sees one consistent moment.
/// - A call that was cancelled before its body ran changes nothing.
public protocol PlatformStore: Sendable {
    /// Looks at the state.
    func read<R: Sendable>(_ body: @escaping @Sendable (any PlatformRecordsReading) throws -> R) async throws -> R
    /// Changes the state in one transaction.
    func write<R: Sendable>(_ body: @escaping @Sendable (any PlatformRecordsWriting) throws -> R) async throws -> R
}

/// What can be asked of the records.
public protocol PlatformRecordsReading {
    /// All applications by name.
    func applications() throws -> [ApplicationRecord]
    /// The application of that name.
    func application(named name: String) throws -> ApplicationRecord?
    /// The application of that identity.
    func application(id: String) throws -> ApplicationRecord?
    /// The newest releases first.
    func releases(of applicationID: String, limit: Int) throws -> [ReleaseRecord]
    /// One release.
    func release(_ version: Int, of applicationID: String) throws -> ReleaseRecord?
    /// All releases of all applications, the newest of each first.
    func releases() throws -> [ReleaseRecord]
    /// The releases of an application that are pinned.
    func pins(of applicationID: String) throws -> Set<Int>
    /// Every slug that some release refers to, but for releases of one application.
    func slugsInUse(exceptBy applicationID: String?) throws -> Set<String>
    /// The newest deployments first.
    func deployments(of applicationID: String, limit: Int) throws -> [DeploymentRecord]
    /// One deployment.
    func deployment(_ number: Int, of applicationID: String) throws -> DeploymentRecord?
    /// Every deployment whose state is none of the given ones.
    func deployments(notIn states: Set<String>) throws -> [DeploymentRecord]
    /// The hosts that were added to an application.
    func domains(of applicationID: String) throws -> [DomainRecord]
    /// Who has that host.
    func domain(host: String) throws -> DomainRecord?
    /// All hosts that were added to applications.
    func domains() throws -> [DomainRecord]
    /// All certificates that were added, the oldest first.
    func certificates() throws -> [CertificateRecord]
    /// The token with that digest.
    func token(digest: String) throws -> TokenRecord?
    /// The newest entries first.
    func audit(limit: Int) throws -> [AuditRecord]
}

/// What can be changed in the records.
public protocol PlatformRecordsWriting: PlatformRecordsReading {
    /// Inserts or replaces.
    func save(_ application: ApplicationRecord) throws
    /// Deletes it and all that belongs to it.
    func deleteApplication(id: String) throws
    /// Inserts; releases never change.
    func insert(_ release: ReleaseRecord) throws
    /// Pins a release, which must exist, or lets it go again; does nothing where it is so already.
    func setPin(_ isPinned: Bool, of version: Int, of applicationID: String) throws
    /// Inserts or replaces.
    func save(_ deployment: DeploymentRecord) throws
    /// Inserts.
    func insert(_ domain: DomainRecord) throws
    /// Deletes.
    func deleteDomain(host: String) throws
    /// Inserts; certificates never change.
    func insert(_ certificate: CertificateRecord) throws
    /// Deletes.
    func deleteCertificate(id: String) throws
    /// Inserts or replaces.
    func save(_ token: TokenRecord) throws
    /// Deletes every token of that name.
    func deleteTokens(named name: String) throws
    /// Inserts, and forgets what is older than `keeping` entries.
    func append(_ entry: AuditRecord, keeping: Int) throws
}
