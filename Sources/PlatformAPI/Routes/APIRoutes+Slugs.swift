internal import Hummingbird
internal import PlatformKit
internal import PlatformWire

extension APIRoutes {
    func addSlugs() {
        let (platform, stream) = (self.platform, self.stream)
        let limit = self.configuration.bodyLimit

        self.reading.get("slugs") { _, _ in
            try Response.json(await platform.storedSlugs())
        }
        self.administeringAtLength.post("slugs/verify") { request, context in
            let body = try await request.json(SlugCheckRequest.self, limit: limit)
            return stream.response(context: context) { output in
                try await platform.checkSlugs(share: body.share ?? 1, by: context.principal, output: output)
            }
        }
        self.administeringAtLength.post("slugs/collect") { _, context in
            stream.response(context: context) { (_: EventOutput<SlugGarbageInfo>) in
                try await platform.collectSlugGarbage(by: context.principal)
            }
        }
    }
}
