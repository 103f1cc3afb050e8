import Foundation
import Testing

@testable import RouterCore

@Suite(.timeLimit(.minutes(1))) struct `A running router` {
    private let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

    @Test(arguments: Driver.allCases) func `passes requests and bodies through, over kept connections`(driver: Driver)
        async throws
    {
        let origin = try await TestOrigin { _ in .echo }
        let observer = RecordingObserver()
        try await withRouter(driver, configure: { $0.threads = 1 }, observer: observer) { router, port in
            try router.setOrigins([origin])
            let client = try await RawClient(port: port)
            let body = String(repeating: "0123456789", count: 30_000)
            for _ in 0..<3 {
                client.send("PUT /x?secret HTTP/1.1\r\nHost: A:80\r\nContent-Length: \(body.utf8.count)\r\n\r\n" + body)
                let response = await client.response()
                #expect(response?.status == 200)
                #expect(response?.body == body)
            }
            #expect(origin.connections == 1)
            let record = await observer.records(atLeast: 3)[0]
            #expect(record.application == "app")
            #expect(record.backend == BackendID("web.1"))
            #expect(record.method == "PUT")
            #expect(record.path == "/x")
            #expect(record.status == 200)
            #expect(record.errorCode == nil)
            #expect(record.requestBytes > 300_000)
            #expect(record.responseBytes > 300_000)
            #expect(origin.requests[0].head.contains("X-Request-ID: \(record.requestID)"))
            await client.close()
        }
        await origin.stop()
    }

    @Test(arguments: Driver.allCases) func `answers by itself what goes nowhere`(driver: Driver) async throws {
        try await withRouter(driver) { router, port in
            try router.setRoute(ApplicationRoute(application: "empty", hosts: ["empty"], backends: []))
            try router.setRoute(
                ApplicationRoute(
                    application: "closed", hosts: ["*.closed"], backends: [], mode: .maintenance(html: "<p>later")))
            let client = try await RawClient(port: port)
            for (host, status, code) in [
                ("nobody", 404, "no-such-host"), ("empty", 503, "no-healthy-instance"),
                ("x.closed", 503, "maintenance"),
            ] {
                client.send("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")
                let response = await client.response()
                #expect(response?.status == status)
                #expect(response?.head.contains("X-Slipway-Error: \(code)") == true)
                if status == 503 { #expect(response?.head.contains("Retry-After: ") == true) }
                if code == "maintenance" { #expect(response?.body == "<p>later") }
            }
            await client.close()
        }
    }

    @Test(arguments: Driver.allCases) func `tries another instance when one refuses, and sets it aside`(driver: Driver)
        async throws
    {
        let origin = try await TestOrigin { _ in .echo }
        let dead = try await closedPort()
        try await withRouter(driver) { router, port in
            try router.setRoute(
                ApplicationRoute(
                    application: "app", hosts: ["a"],
                    backends: [
                        Backend(id: BackendID("dead"), address: .ip(host: "127.0.0.1", port: dead)),
                        Backend(id: BackendID("live"), address: .ip(host: "127.0.0.1", port: origin.address.port)),
                    ]))
            let client = try await RawClient(port: port)
            for _ in 0..<20 {
                client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
                #expect(await client.response()?.body == "hi")
            }
            await client.close()
        }
        await origin.stop()
    }

    @Test(arguments: Driver.allCases) func `says that no instance accepts connections`(driver: Driver) async throws {
        let dead = try await closedPort()
        try await withRouter(driver) { router, port in
            try router.setRoute(
                ApplicationRoute(
                    application: "app", hosts: ["a"],
                    backends: [Backend(id: BackendID("dead"), address: .ip(host: "127.0.0.1", port: dead))]))
            let client = try await RawClient(port: port)
            // More often than it takes to set an instance aside: the last one is tried nevertheless.
            for _ in 0..<5 {
                client.send(self.get)
                let response = await client.response()
                #expect(response?.status == 503)
                #expect(response?.head.contains("connect-failed") == true)
            }
            await client.close()
        }
    }

    @Test(arguments: Driver.allCases) func `repeats a request whose kept connection had been closed`(driver: Driver)
        async throws
    {
        // Each connection serves one request and closes on the next without a byte.
        let origin = try await TestOrigin { $0.number == 1 ? .echo : .close }
        try await withRouter(driver, configure: { $0.threads = 1 }) { router, port in
            try router.setOrigins([origin])
            let client = try await RawClient(port: port)
            for _ in 0..<10 {
                client.send(self.get)
                #expect(await client.response()?.status == 200)
            }
            await client.close()
        }
        await origin.stop()
    }

    @Test(arguments: Driver.allCases) func `never puts a POST on a connection that the instance has closed`(
        driver: Driver
    ) async throws {
        // Each connection ends right after its response, unannounced.
        let origin = try await TestOrigin { _ in .last("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") }
        try await withRouter(driver, configure: { $0.threads = 1 }) { router, port in
            try router.setOrigins([origin])
            let client = try await RawClient(port: port)
            for number in 1...20 {
                client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
                #expect(await client.response()?.status == 200)
                await origin.closed(atLeast: number)
            }
            #expect(origin.connections == 20)
            await client.close()
        }
        await origin.stop()
    }

    @Test(arguments: Driver.allCases) func `breaks off what the instance breaks off`(driver: Driver) async throws {
        let origin = try await TestOrigin { request in
            request.path == "/none" ? .close : .last("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        }
        let observer = RecordingObserver()
        try await withRouter(driver, observer: observer) { router, port in
            try router.setOrigins([origin])
            let client = try await RawClient(port: port)
            client.send("POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
            let response = await client.response()
            #expect(response?.status == 502)
            #expect(response?.head.contains("upstream-broke") == true)
            client.send(self.get)
            #expect(await client.receiveAll().hasSuffix("\r\n\r\nabc"))
            #expect(await observer.records(atLeast: 2).map(\.errorCode) == [.upstreamBroke, .upstreamBroke])
        }
        await origin.stop()
    }

    // One limit each: a slow machine must not make another one speak first.

    @Test(arguments: Driver.allCases) func `answers 504 for an instance that does not answer in time`(driver: Driver)
        async throws
    {
        let origin = try await TestOrigin { _ in .hold }
        try await withRouter(driver, configure: { $0.timerResolution = .milliseconds(10) }) { router, port in
            try router.setOrigins([origin]) { $0.timeouts.firstByte = .milliseconds(50) }
            let client = try await RawClient(port: port)
            client.send(self.get)
            #expect(await client.response()?.status == 504)
        }
        await origin.stop()
    }

    @Test(arguments: Driver.allCases) func `answers 408 for a head that does not arrive in time`(driver: Driver)
        async throws
    {
        try await withRouter(
            driver,
            configure: {
                $0.timerResolution = .milliseconds(10)
                $0.headTimeout = .milliseconds(50)
            }
        ) { _, port in
            let client = try await RawClient(port: port)
            client.send("GET / HT")
            #expect(await client.receiveAll().hasPrefix("HTTP/1.1 408 "))
        }
    }

    @Test(arguments: Driver.allCases) func `closes a connection that nothing is asked on`(driver: Driver) async throws {
        try await withRouter(
            driver,
            configure: {
                $0.timerResolution = .milliseconds(10)
                $0.keepAliveTimeout = .milliseconds(50)
            }
        ) { _, port in
            let client = try await RawClient(port: port)
            #expect(await client.receiveAll() == "")
        }
    }

    @Test(arguments: Driver.allCases) func `holds a response back while the client does not read`(driver: Driver)
        async throws
    {
        let size = 24 << 20
        let origin = try await TestOrigin { _ in .large(size) }
        try await withRouter(driver) { router, port in
            try router.setOrigins([origin])
            let client = try await RawClient(port: port)
            try await client.setReading(false)
            client.send(self.get)
            await origin.requests(atLeast: 1)
            // Others are served meanwhile.
            let other = try await RawClient(port: port)
            other.send("GET / HTTP/1.1\r\nHost: nobody\r\n\r\n")
            #expect(await other.response()?.status == 404)
            try await client.setReading(true)
            await client.receive(count: size)
            #expect(client.count > size)
            await client.close()
            await other.close()
        }
        await origin.stop()
    }

    @Test(arguments: Driver.allCases) func `carries a tunnel, with half-close`(driver: Driver) async throws {
        let origin = try await TestOrigin { _ in .tunnel }
        let observer = RecordingObserver()
        try await withRouter(driver, observer: observer) { router, port in
            try router.setOrigins([origin])
            let client = try await RawClient(port: port)
            client.send("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
            #expect(await client.receive(endingWith: "\r\n\r\n").hasPrefix("HTTP/1.1 101 "))
            client.send("ping")
            #expect(await client.receive(endingWith: "ping").hasSuffix("ping"))
            #expect(router.inFlight(application: "app") == 1)
            await client.finishWriting()
            #expect(await client.receiveAll().hasSuffix("ping"))
            let record = await observer.records(atLeast: 1)[0]
            #expect(record.upgraded)
            #expect(record.status == 101)
            await client.close()
        }
        await origin.stop()
    }

    @Test(arguments: Driver.allCases) func `reaches an instance through the file system`(driver: Driver) async throws {
        let path = FileManager.default.temporaryDirectory.path + "/slipway-router-\(UInt32.random(in: 0 ... .max)).sock"
        let origin = try await TestOrigin(path: path) { _ in .echo }
        try await withRouter(driver) { router, port in
            try router.setRoute(
                ApplicationRoute(
                    application: "app", hosts: ["a"],
                    backends: [Backend(id: BackendID("web.1"), address: .unix(path: path))]))
            let client = try await RawClient(port: port)
            for _ in 0..<3 {
                client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
                #expect(await client.response()?.body == "hi")
            }
            await client.close()
        }
        await origin.stop()
    }

    @Test(arguments: Driver.allCases) func `survives peers that leave in the middle of bodies`(driver: Driver)
        async throws
    {
        let origin = try await TestOrigin { request in
            switch request.path {
            case "/large": .large(4 << 20)
            case "/cut": .last("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nabc")
            default: .echo
            }
        }
        let observer = RecordingObserver()
        try await withRouter(driver, observer: observer) { router, port in
            try router.setOrigins([origin])
            for _ in 0..<30 {
                let download = try await RawClient(port: port)
                download.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
                await download.receive(count: 100_000)
                await download.close()
                let upload = try await RawClient(port: port)
                upload.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n")
                upload.send(Array(repeating: 0, count: 200_000))
                await upload.close()
                let cut = try await RawClient(port: port)
                cut.send("GET /cut HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(await cut.receiveAll().hasSuffix("abc"))
            }
            let records = await observer.records(atLeast: 90)
            #expect(records.count == 90)
            #expect(records.filter { $0.errorCode == .upstreamBroke }.count == 30)
            #expect(router.inFlight(application: "app") == 0)
            let client = try await RawClient(port: port)
            client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
            #expect(await client.response()?.body == "hi")
            await client.close()
        }
        await origin.stop()
    }

    @Test(arguments: Driver.allCases) func `answers a client that pipelines more than it reads`(driver: Driver)
        async throws
    {
        try await withRouter(driver) { _, port in
            let client = try await RawClient(port: port)
            try await client.setReading(false)
            let count = 20_000
            client.send(String(repeating: "GET / HTTP/1.1\r\nHost: nobody\r\n\r\n", count: count - 1))
            client.send("GET /last HTTP/1.1\r\nHost: nobody\r\nConnection: close\r\n\r\n")
            try await client.setReading(true)
            let answers = await client.receiveAll()
            #expect(answers.split(separator: "X-Slipway-Error: no-such-host").count == count + 1)
            await client.close()
        }
    }

    @Test(arguments: Driver.allCases) func `sends events as they come`(driver: Driver) async throws {
        let origin = try await TestOrigin { _ in
            .bytes("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        }
        try await withRouter(driver) { router, port in
            try router.setOrigins([origin], maxInFlight: 1)
            let first = try await RawClient(port: port)
            first.send(self.get)
            #expect(await first.receive(endingWith: "data: 1\n\n\r\n").contains("data: 1\n\n"))
            // The stream does not take the only place.
            let second = try await RawClient(port: port)
            second.send(self.get)
            #expect(await second.receive(endingWith: "data: 1\n\n\r\n").contains("data: 1\n\n"))
            await first.close()
            await second.close()
        }
        await origin.stop()
    }

    @Test(arguments: Driver.allCases) func `queues what is over the limit, first come, first served`(driver: Driver)
        async throws
    {
        let origin = try await TestOrigin { _ in .hold }
        try await withRouter(driver, configure: { $0.maxQueuedPerApplication = 2 }) { router, port in
            try router.setOrigins([origin], maxInFlight: 1)
            var clients: [RawClient] = []
            for number in 1...3 {
                let client = try await RawClient(port: port)
                client.send("GET /\(number) HTTP/1.1\r\nHost: a\r\n\r\n")
                if number == 1 { await origin.requests(atLeast: 1) }
                #expect(await eventually { router.inFlight(application: "app") == number })
                clients.append(client)
            }
            let tooMany = try await RawClient(port: port)
            tooMany.send(self.get)
            let refused = await tooMany.response()
            #expect(refused?.status == 503)
            #expect(refused?.head.contains("queue-full") == true)
            origin.release()
            for client in clients { #expect(await client.response()?.body == "held") }
            #expect(Set(origin.requests.map(\.path)) == ["/1", "/2", "/3"])
            #expect(origin.requests.first?.path == "/1")
            for client in clients { await client.close() }
        }
        await origin.stop()
    }
}
