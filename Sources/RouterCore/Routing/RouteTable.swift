/// An immutable set of routes, checked: every host belongs to at most one application.
///
/// Changing one gives a new table that shares nearly everything with the old one, so that the cost of a change does not
/// grow with the number of routes. Finding a host costs the same for one route and for ten thousand.
public struct RouteTable: Sendable {
    private var index = RouteIndex<ApplicationRoute>()

    /// Makes a table of these routes.
    ///
    /// - Throws: ``RouterError`` when a route is malformed, or when two applications claim the same host; the message
    ///   names both.
    public init(_ routes: [ApplicationRoute]) throws(RouterError) {
        for route in routes { try self.set(route) }
    }

    /// This table with one application's route added or replaced.
    public func setting(_ route: ApplicationRoute) throws(RouterError) -> RouteTable {
        var table = self
        try table.set(route)
        return table
    }

    /// This table without an application.
    public func removing(application: String) -> RouteTable {
        var table = self
        table.index.remove(application: application)
        return table
    }

    /// The route for a request's host (without port).
    public func route(host: String) -> ApplicationRoute? {
        var host = host
        return host.withUTF8 { self.index.find(host: UnsafeRawBufferPointer($0)) }
    }

    /// An application's route.
    public func route(application: String) -> ApplicationRoute? { self.index.find(application: application) }

    /// All routes, ordered by application.
    public var routes: [ApplicationRoute] { self.index.values.sorted { $0.application < $1.application } }

    private mutating func set(_ route: ApplicationRoute) throws(RouterError) {
        try route.check()
        try self.index.set(application: route.application, hosts: route.hosts, value: route)
    }
}

extension ApplicationRoute {
    /// Refuses what cannot be routed to.
    func check() throws(RouterError) {
        func refuse(_ why: String) -> RouterError {
            RouterError(.invalidRoute, "The route of application '\(self.application)' cannot be used: \(why)")
        }
        guard !self.application.isEmpty else { throw refuse("the application has no name.") }
        var seen = Set<BackendID>()
        for backend in self.backends {
            guard seen.insert(backend.id).inserted else {
                throw refuse("two instances are both named '\(backend.id)'.")
            }
            guard backend.weight > 0 else { throw refuse("the weight of '\(backend.id)' is not positive.") }
            if let limit = backend.maxInFlight, limit < 1 {
                throw refuse("'\(backend.id)' may not be given a single request; leave it out instead.")
            }
            switch backend.address {
            case .ip(let host, let port):
                guard !host.isEmpty, (1...65535).contains(port) else {
                    throw refuse("'\(backend.address)' is not an address.")
                }
            case .unix(let path):
                guard !path.isEmpty, path.utf8.count < 104 else {
                    throw refuse("the socket path of '\(backend.id)' is empty or longer than 103 bytes.")
                }
            }
        }
    }
}
