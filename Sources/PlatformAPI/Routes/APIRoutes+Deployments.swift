internal import HTTPTypes
internal import Hummingbird
internal import PlatformKit
internal import PlatformWire

extension APIRoutes {
    func addDeployments() {
        let (platform, stream, uploads) = (self.platform, self.stream, self.uploads)

        self.reading.get("apps/:app/deployments") { _, context in
            try Response.json(await platform.deployments(of: context.application))
        }
        self.reading.get("apps/:app/deployments/:number") { _, context in
            try Response.json(await platform.deployment(context.number("number"), of: context.application))
        }
        self.reading.get("apps/:app/deployments/:number/log") { _, context in
            Response.text(try await platform.deploymentLog(context.number("number"), of: context.application))
        }
        self.changing.post("apps/:app/deployments/:number/cancel") { _, context in
            try Response.json(
                await platform.cancelDeployment(
                    context.number("number"), of: context.application, by: context.principal))
        }
        self.operating.post("apps/:app/deployments") { request, context in
            let name = try context.application
            // Said before a gigabyte has come for nothing.
            _ = try await platform.application(named: name)
            let suffix = try Self.archiveSuffix(request.headers[.contentType])
            let description = String((Query(request).text("description") ?? "uploaded archive").prefix(200))
            let path = try await uploads.receive(request, extension: suffix)
            return stream.response(context: context) { output -> DeploymentInfo in
                defer { uploads.remove(path) }
                return try await platform.deploy(
                    .archive(path, description: description), to: name, by: context.principal, output: output)
            }
        }
    }

    private static func archiveSuffix(_ contentType: String?) throws(PlatformError) -> String {
        switch contentType?.prefix(while: { $0 != ";" }).lowercased() {
        case "application/x-tar": "tar"
        case "application/gzip", "application/x-gzip": "tar.gz"
        case "application/zstd": "tar.zst"
        case "application/zip", "application/x-zip-compressed": "zip"
        default:
            throw PlatformError(
                .invalid,
                "The body is an archive: Content-Type is application/x-tar, application/gzip, "
                    + "application/zstd or application/zip.")
        }
    }
}
