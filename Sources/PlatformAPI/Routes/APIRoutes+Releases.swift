internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import PlatformKit
internal import PlatformWire
internal import SlugStore

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
        self.changing.put("apps/:app/releases/:version/pin") { _, context in
            try Response.json(
                await platform.setPin(
                    true, of: context.number("version"), of: context.application, by: context.principal))
        }
        self.changing.delete("apps/:app/releases/:version/pin") { _, context in
            try Response.json(
                await platform.setPin(
                    false, of: context.number("version"), of: context.application, by: context.principal))
        }
        self.readingSecrets.get("apps/:app/releases/:version/diff") { request, context in
            let query = Query(request)
            let limit = try query.number("n", in: 0...100_000, standard: 1000)
            let from = try query.text("from").map { _ in try query.number("from", in: 1...Int(Int32.max), standard: 1) }
            return try Response.json(
                await platform.slugDifference(
                    from: from, to: context.number("version"), of: context.application, limit: limit))
        }
        self.readingSecrets.get("apps/:app/releases/:version/archive") { request, context in
            let format = Query(request).text("format") ?? "tar.zst"
            guard let compression = TreeArchiver.Compression(fileName: "." + format) else {
                throw PlatformError(.invalid, "`format` is tar, tar.gz or tar.zst; not `\(format)`.")
            }
            let version = try context.number("version")
            let name = try context.application
            let archive = try await platform.archive(of: version, of: name, compression: compression)
            // Its length is not known before it is made: what breaks on the way breaks the answer off, so that nobody takes
            // half of it for all.
            let body = ResponseBody { writer in
                for try await bytes in archive { try await writer.write(ByteBuffer(bytes: bytes)) }
                try await writer.finish(nil)
            }
            return Response(
                status: .ok,
                headers: [
                    .contentType: Self.archiveType(format),
                    .contentDisposition: "attachment; filename=\"\(name)-v\(version).\(format)\"",
                ], body: body)
        }
        self.operating.post("apps/:app/rollback") { request, context in
            let body = try await request.json(RollbackRequest.self, limit: limit)
            let name = try context.application
            return stream.response(context: context) { output in
                try await platform.rollback(name, to: body.version, by: context.principal, output: output)
            }
        }
    }

    private static func archiveType(_ format: String) -> String {
        if format.hasSuffix("gz") { return "application/gzip" }
        return format == "tar" ? "application/x-tar" : "application/zstd"
    }
}
