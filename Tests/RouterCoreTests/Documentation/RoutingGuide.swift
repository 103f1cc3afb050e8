@testable import RouterCore

/// The code of the articles "Route requests" and "Tuning", so that it compiles. `DocumentationTests` compares them.
enum RoutingGuide {
    static func hosts(_ router: Router) throws -> ApplicationRoute {
        var route = ApplicationRoute(
            application: "shop", hosts: ["shop.example.com", "*.shop.example.com"],
            backends: [
                Backend(id: BackendID("web.1"), address: .ip(host: "127.0.0.1", port: 5000)),
                Backend(id: BackendID("web.2"), address: .unix(path: "/run/shop/web.2.sock")),
            ])
        try router.setRoute(route)
        route.maxRequestBodyBytes = 1 << 20
        return route
    }

    static func sharing(_ router: Router, _ apiBackends: [Backend], _ previewBackends: [Backend]) throws {
        let api = ApplicationRoute(
            application: "api",
            matches: [RouteMatch(hosts: ["shop.example.com"], pathPrefix: "/api", stripsPrefix: true)],
            backends: apiBackends)
        let preview = ApplicationRoute(
            application: "preview",
            matches: [RouteMatch(hosts: ["shop.example.com"], headers: [HeaderCondition("X-Preview", value: "yes")])],
            backends: previewBackends)
        try router.setRoute(api)
        try router.setRoute(preview)
    }

    static func choosing(_ router: Router, _ route: inout ApplicationRoute) throws {
        route.selection = .sticky(cookie: "shop-instance")
        route.slowStart = .seconds(30)
        try router.setRoute(route)
    }

    static func rules(_ router: Router, _ route: inout ApplicationRoute) throws {
        var policy = RoutePolicy()
        policy.https = HTTPSEnforcement()
        policy.strictTransportSecurity = StrictTransportSecurity()
        policy.rateLimits = RateLimits(perClient: try RequestRate(20, burst: 100))
        policy.addresses = AddressRules(denied: [try AddressRange("203.0.113.0/24")])
        policy.redirects = [try RedirectRule(.prefix("/old"), to: "/new{path}{query}", status: .permanentRedirect)]
        policy.responseFields = [try .set("X-Content-Type-Options", "nosniff")]
        route.policy = policy
        try router.setRoute(route)
    }

    static func protocols(_ route: inout ApplicationRoute) {
        route.instanceProtocol = .http2
    }

    static func threads(_ configuration: inout Router.Configuration) {
        configuration.threads = 2
    }

    static func memory(_ configuration: inout Router.Configuration) {
        configuration.readBufferBytes = 65_536
        configuration.maxBufferedBytes = 128 << 20
    }
}
