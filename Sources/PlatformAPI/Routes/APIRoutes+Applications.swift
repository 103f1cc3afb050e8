internal import HTTPTypes
internal import Hummingbird
internal import PlatformKit
internal import PlatformWire

extension APIRoutes {
    func addApplications() {
        let (platform, stream) = (self.platform, self.stream)
        let limit = self.configuration.bodyLimit

        self.reading.get("apps") { _, _ in try Response.json(await platform.applications()) }
        self.reading.get("apps/:app") { _, context in
            try Response.json(await platform.application(named: context.application))
        }
        self.administering.post("apps") { request, context in
            let body = try await request.json(ApplicationName.self, limit: limit)
            let application = try await platform.createApplication(named: body.name, by: context.principal)
            return try Response.json(application, status: .created)
        }
        self.changing.patch("apps/:app") { request, context in
            let body = try await request.json(ApplicationName.self, limit: limit)
            return try Response.json(
                await platform.renameApplication(context.application, to: body.name, by: context.principal))
        }
        self.administering.delete("apps/:app") { request, context in
            let name = try context.application
            guard Query(request).text("confirm") == name else {
                throw PlatformError(.invalid, "To destroy \(name) for good, confirm it in the query: ?confirm=\(name)")
            }
            try await platform.destroyApplication(name, by: context.principal)
            return Response(status: .noContent)
        }
        self.changing.put("apps/:app/maintenance") { request, context in
            let body = try await request.json(MaintenanceChange.self, limit: limit)
            return try Response.json(
                await platform.setMaintenance(body.enabled, of: context.application, by: context.principal))
        }

        self.readingSecrets.get("apps/:app/config") { _, context in
            try Response.json(await platform.config(of: context.application))
        }
        self.operating.patch("apps/:app/config") { request, context in
            let body = try await request.json(ConfigChange.self, limit: limit)
            let name = try context.application
            return stream.response(context: context) { output -> ReleaseInfo? in
                try await platform.setConfig(body.variables, of: name, by: context.principal, output: output)
            }
        }

        self.reading.get("apps/:app/domains") { _, context in
            try Response.json(await platform.domains(of: context.application))
        }
        self.changing.post("apps/:app/domains") { request, context in
            let body = try await request.json(DomainChange.self, limit: limit)
            return try Response.json(
                await platform.addDomain(body.host, to: context.application, by: context.principal))
        }
        self.changing.delete("apps/:app/domains/:host") { _, context in
            try Response.json(
                await platform.removeDomain(
                    context.parameter("host"), from: context.application, by: context.principal))
        }
    }
}
