internal import Hummingbird
internal import PlatformKit

/// The routes of the API in groups by who may use them, for the files beside this one to fill.
struct APIRoutes {
    let platform: any ControlPlane
    let configuration: APIServer.Configuration
    let stream: OperationStream
    let uploads: UploadReceiver

    /// For everybody with a token.
    let reading: RouterGroup<APIContext>
    /// Also for everybody who may deploy.
    let readingSecrets: RouterGroup<APIContext>
    /// Changes that take a while, and are answered as a stream.
    let operating: RouterGroup<APIContext>
    /// Changes that are answered at once.
    let changing: RouterGroup<APIContext>
    /// Changes for administrators.
    let administering: RouterGroup<APIContext>
    /// What administrators ask for that takes a while, and is answered as a stream.
    let administeringAtLength: RouterGroup<APIContext>

    init(
        router: Router<APIContext>, platform: any ControlPlane, configuration: APIServer.Configuration,
        stream: OperationStream, uploads: UploadReceiver
    ) {
        self.platform = platform
        self.configuration = configuration
        self.stream = stream
        self.uploads = uploads
        func group(_ role: Role) -> RouterGroup<APIContext> {
            router.group("/api/v1")
                .add(middleware: AccessMiddleware(authenticator: Authenticator(platform: platform), role: role))
        }
        let readiness = ReadinessMiddleware(platform: platform)
        let idempotency = IdempotencyMiddleware(
            limit: configuration.idempotencyEntries, lifetime: configuration.idempotencyLifetime,
            bodyLimit: configuration.bodyLimit, clock: configuration.clock)
        self.reading = group(.read)
        self.readingSecrets = group(.deploy)
        self.operating = group(.deploy).add(middleware: readiness)
        self.changing = group(.deploy).add(middleware: readiness).add(middleware: idempotency)
        self.administeringAtLength = group(.admin).add(middleware: readiness)
        self.administering = group(.admin).add(middleware: readiness).add(middleware: idempotency)
    }

    func add() {
        self.addApplications()
        self.addDeployments()
        self.addReleases()
        self.addSlugs()
        self.addInstances()
        self.addObservation()
        self.addCertificates()
    }
}
