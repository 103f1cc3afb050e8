internal import Hummingbird
internal import PlatformKit
internal import PlatformWire

extension APIRoutes {
    func addInstances() {
        let (platform, stream) = (self.platform, self.stream)
        let limit = self.configuration.bodyLimit

        self.reading.get("apps/:app/ps") { _, context in
            try Response.json(await platform.instances(of: context.application))
        }
        self.operating.post("apps/:app/ps/scale") { request, context in
            let body = try await request.json(ScaleRequest.self, limit: limit)
            let name = try context.application
            return stream.response(context: context) { output in
                try await platform.scale(
                    name, to: body.quantities, sizes: body.sizes ?? [:], by: context.principal, output: output)
            }
        }
        self.operating.post("apps/:app/ps/restart") { request, context in
            let body = try await request.json(InstanceSelection.self, limit: limit)
            let name = try context.application
            return stream.response(context: context) { (output: EventOutput<[InstanceInfo]>) in
                try await platform.restart(body.target, of: name, by: context.principal, output: output)
                return try await platform.instances(of: name)
            }
        }
        self.operating.post("apps/:app/ps/stop") { request, context in
            guard let target = try await request.json(InstanceSelection.self, limit: limit).target else {
                throw PlatformError(.invalid, "The body has no member `target`: the instance to stop, such as web.1.")
            }
            let name = try context.application
            return stream.response(context: context) { (_: EventOutput<[InstanceInfo]>) in
                try await platform.stopInstance(target, of: name, by: context.principal)
                return try await platform.instances(of: name)
            }
        }
        self.operating.post("apps/:app/run") { request, context in
            let body = try await request.json(OneOffRequest.self, limit: limit)
            let name = try context.application
            guard body.terminal == nil else {
                throw PlatformError(.invalid, "A terminal needs a WebSocket: GET /api/v1/apps/\(name)/run.")
            }
            return stream.response(context: context) { output in
                try await platform.runOneOff(
                    body, of: name, by: context.principal, session: OneOffSession { try await output.output($0) })
            }
        }
        self.operating.get("apps/:app/run") { _, context -> Response in
            // Whoever asks properly, and may, does not come here: OneOffSocket has the connection by then.
            _ = try await platform.application(named: context.application)
            throw PlatformError(
                .invalid,
                "This is a WebSocket (RFC 6455): send `Upgrade: websocket`, as the first request of a connection.")
        }
        self.readingSecrets.get("apps/:app/runs") { _, context in
            try Response.json(await platform.oneOffs(of: context.application))
        }
    }
}
