internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import PlatformKit
internal import PlatformWire
internal import ServiceLifecycle

extension APIRoutes {
    func addObservation() {
        let (platform, stream) = (self.platform, self.stream)

        self.reading.get("apps/:app/logs") { request, context in
            let query = Query(request)
            let limit = try query.number("n", in: 0...10_000, standard: 100)
            let (sources, process) = (query.texts("source"), query.text("ps"))
            let name = try context.application
            if query.flag("tail") {
                let lines = try await platform.tailLogs(of: name, last: limit, sources: sources, process: process)
                return Self.tail(lines, context, by: stream)
            }
            var body = ByteBuffer()
            for line in try await platform.recentLogs(of: name, limit: limit, sources: sources, process: process) {
                body.writeImmutableBuffer(try ByteBuffer(line: line))
            }
            return Response(
                status: .ok, headers: [.contentType: "application/x-ndjson"], body: ResponseBody(byteBuffer: body))
        }
        self.reading.get("apps/:app/metrics") { request, context in
            let seconds = try Query(request).number("since", in: 1...31_622_400, standard: 3600)
            return try Response.json(await platform.metrics(of: context.application, since: .seconds(seconds)))
        }
        self.reading.get("audit") { request, _ in
            try Response.json(
                await platform.audit(limit: Query(request).number("n", in: 1...10_000, standard: 100)))
        }
    }

    /// Follows a log until the client goes away or the host is told to stop: a tail must not hold that up.
    private static func tail(
        _ lines: AsyncStream<LogLineInfo>, _ context: APIContext, by stream: OperationStream
    ) -> Response {
        stream.lines(context: context, keepAlive: { ByteBuffer(string: "\n") }) { channel in
            for await line in lines.cancelOnGracefulShutdown() { try await channel.send(try ByteBuffer(line: line)) }
            return nil
        }
    }
}
