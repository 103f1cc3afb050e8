internal import HTTPTypes
internal import Hummingbird
internal import PlatformKit
internal import PlatformWire

/// What is answered without a token: the dashboard page (which asks for one), health, metrics and the API's description.
struct OpenRoutes {
    let platform: any ControlPlane

    func add(to router: Router<APIContext>) {
        let platform = self.platform
        let description = OpenAPIDocument.text()
        router.get("/") { _, _ in DashboardPage.response() }
        router.get("/healthz") { _, _ in Response.text("ok\n") }
        router.get("/readyz") { _, _ in
            guard platform.isReady else { throw ReadinessMiddleware.notReady }
            return Response.text("ready\n")
        }
        router.get("/metrics") { _, _ in
            Response.text(await platform.metricsText(), type: "text/plain; version=0.0.4; charset=utf-8")
        }
        router.get("/api/openapi.json") { _, _ in Response.text(description, type: "application/json") }
    }
}
