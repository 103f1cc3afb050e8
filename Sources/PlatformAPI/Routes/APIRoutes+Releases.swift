internal import Hummingbird
internal import PlatformKit
internal import PlatformWire

extension APIRoutes {
    func addReleases() {
        let (platform, stream) = (self.platform, self.stream)
        let limit = self.configuration.bodyLimit

        self.reading.get("apps/:app/releases") { _, context in
            try Response.json(await platform.releases(of: context.application))
        }
        self.reading.get("apps/:app/releases/:version") { _, context in
            try Response.json(await platform.release(context.number("version"), of: context.application))
        }
        self.operating.post("apps/:app/rollback") { request, context in
            let body = try await request.json(RollbackRequest.self, limit: limit)
            let name = try context.application
            return stream.response(context: context) { output in
                try await platform.rollback(name, to: body.version, by: context.principal, output: output)
            }
        }
    }
}
