import Synchronization
import Testing

@testable import RouterCore

@Suite(.timeLimit(.minutes(1))) struct `What a router has seen` {
    @Test(arguments: Driver.allCases) func `is counted by application and instance`(driver: Driver) async throws {
        let origin = try await TestOrigin { request in
            request.path == "/broken" ? .close : .bytes("HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\nx")
        }
        try await withRouter(driver) { router, port in
            try router.setOrigins([origin])
            let client = try await RawClient(port: port)
            for (path, host) in [("/", "a"), ("/", "a"), ("/", "nobody")] {
                client.send("GET \(path) HTTP/1.1\r\nHost: \(host)\r\n\r\n")
                #expect(await client.response()?.status == 404)
            }
            client.send("POST /broken HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
            #expect(await client.response()?.status == 502)
            let traffic = await router.traffic()
            #expect(traffic.map(\.application) == ["", "app"])
            let instance = try #require(traffic.last?.instances[BackendID("web.1")])
            #expect(instance.statuses.clientErrors == 2)
            #expect(instance.statuses.serverErrors == 1)
            #expect(instance.errors == [.upstreamBroke: 1])
            #expect(instance.total.count == 3)
            #expect(instance.firstByte.count == 2)
            #expect(instance.connect.count >= 1)
            #expect(instance.responseBytes > 100)
            #expect(traffic.first?.others.errors == [.noSuchHost: 1])
            // What went to an instance that is gone is not forgotten.
            try router.setOrigins([])
            #expect(await router.traffic().last?.all.statuses.total == 3)
            await client.close()
        }
        await origin.stop()
    }

    @Test func `is written as lines, all of it or a share with every failure`() {
        let summary = { (path: String) in
            var trace = TraceContext()
            Array("00-000000000000000000000000000000ab-00f067aa0ba902b7-01".utf8).withUnsafeBytes { trace.read($0) }
            var summary = RequestSummary()
            func bytes(_ text: String, _ body: (UnsafeRawBufferPointer) -> Void) {
                Array(text.utf8).withUnsafeBytes(body)
            }
            bytes("GET") { method in
                bytes("shop.example") { host in
                    bytes(path) { summary.set(method: method, host: host, target: $0, trace: trace) }
                }
            }
            return summary
        }
        var random = LoopRandom(seed: 3)
        var batch = RequestBatch()
        for number in 0..<200 {
            let ending = ExchangeEnding(
                reusesUpstream: true, status: number == 7 ? 504 : 200, code: number == 7 ? .upstreamTimeout : nil,
                requestBytes: 10, responseBytes: 1532, retries: 0, upgraded: false)
            batch.append(
                summary("/a\"b?secret"), RequestTiming(start: 1_000_000), ending,
                application: ApplicationState(name: "shop"), instance: nil, id: RequestID(using: &random),
                now: 13_400_000, wallClockOffset: 1_772_366_400_000_000_000)
        }
        let written = Mutex("")
        AccessLog { lines in written.withLock { $0 += lines } }.requestsFinished(batch)
        let all = written.withLock { $0 }.split(separator: "\n")
        #expect(all.count == 200)
        #expect(
            all[0].hasPrefix(
                "at=2026-03-01T12:00:00.013Z method=GET host=shop.example path=\"/a\\\"b\" status=200 app=shop bytes=1532 "
                    + "total=12.4ms queue=0ms connect=0ms first=0ms retries=0 id="))
        #expect(all[0].hasSuffix(" trace=000000000000000000000000000000ab"))
        written.withLock { $0 = "" }
        AccessLog(share: 0.25) { lines in written.withLock { $0 += lines } }.requestsFinished(batch)
        let some = written.withLock { $0 }.split(separator: "\n")
        #expect((20...90).contains(some.count))
        #expect(some.contains { $0.hasSuffix("code=upstream-timeout") })
        #expect(some.allSatisfy(all.contains))
    }
}
