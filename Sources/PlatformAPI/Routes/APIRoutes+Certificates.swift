internal import HTTPTypes
internal import Hummingbird
internal import PlatformKit
internal import PlatformWire

extension APIRoutes {
    func addCertificates() {
        let platform = self.platform
        let limit = self.configuration.bodyLimit

        self.reading.get("apps/:app/certs") { _, context in
            try Response.json(await platform.certificates(of: context.application))
        }
        self.changing.post("apps/:app/certs") { request, context in
            let body = try await request.json(CertificateUpload.self, limit: limit)
            return try Response.json(
                await platform.addCertificate(body, to: context.application, by: context.principal), status: .created)
        }
        self.changing.delete("apps/:app/certs/:host") { _, context in
            try Response.json(
                await platform.removeCertificate(
                    host: context.parameter("host"), of: context.application, by: context.principal))
        }
        self.reading.get("certs") { _, _ in try Response.json(await platform.certificates(of: nil)) }
        // They serve the hosts of every application.
        self.administering.post("certs") { request, context in
            let body = try await request.json(CertificateUpload.self, limit: limit)
            return try Response.json(
                await platform.addCertificate(body, to: nil, by: context.principal), status: .created)
        }
        self.administering.delete("certs/:host") { _, context in
            try Response.json(
                await platform.removeCertificate(
                    host: context.parameter("host"), of: nil, by: context.principal))
        }

        self.reading.get("apps/:app/https") { _, context in
            try Response.json(await platform.https(of: context.application))
        }
        self.changing.patch("apps/:app/https") { request, context in
            let body = try await request.json(HTTPSChange.self, limit: limit)
            return try Response.json(
                await platform.setHTTPS(body, of: context.application, by: context.principal))
        }
    }
}
