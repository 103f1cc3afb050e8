import Foundation
import Synchronization
import Testing

@testable import RouterCore

@Suite struct `A ledger of bytes` {
    @Test(
        arguments: [
            ([40], false, false, 0), ([51], true, false, 0), ([80, 8], true, false, 0), ([80, 9], true, true, 1),
            ([90, 5, 5], true, true, 1), ([60, -20], false, false, 0),
            // It went by itself, before anybody could do something.
            ([90, -60], false, false, 0),
        ]
    ) func `is tight, then full`(changes: [Int], isTight: Bool, isFull: Bool, reliefs: Int) {
        let ledger = BufferLedger()
        ledger.limit = 100
        var count = 0
        ledger.relieve = { count += 1 }
        for change in changes { ledger.change(by: change) }
        #expect(ledger.isTight == isTight)
        #expect(ledger.isFull == isFull)
        #expect(count == 0, "nobody is sent away in the middle of an event")
        ledger.settle()
        ledger.settle()
        #expect(count == reliefs)
        ledger.change(by: 100)
        ledger.settle()
        #expect(count == reliefs + 1)
    }

    @Test func `has no limit unless it is given one`() {
        let ledger = BufferLedger()
        ledger.change(by: 1 << 40)
        #expect(!ledger.isTight && !ledger.isFull)
    }
}

/// What a router's loops hold, and have held at most.
private func ledgers(_ router: Router) async -> (held: Int, peak: Int) {
    let sums = Mutex((held: 0, peak: 0))
    for worker in router.state.withLock({ $0.workers }) {
        await worker.run { worker in
            sums.withLock {
                $0.held += worker.ledger.held
                $0.peak += worker.ledger.peak
            }
        }
    }
    return sums.withLock { $0 }
}

@Suite(.timeLimit(.minutes(2))) struct `A limit of memory` {
    private static let budget = 8 << 20

    /// What is held as soon as it is as expected, or after a long time.
    private func held(by router: Router, when isExpected: (Int) -> Bool) async -> Int {
        var held = await ledgers(router).held
        let deadline = ContinuousClock.now + .seconds(20)
        while !isExpected(held), ContinuousClock.now < deadline {
            try? await Task.sleep(for: .milliseconds(2))
            held = await ledgers(router).held
        }
        return held
    }

    /// Without the limit they would have the router hold some 200 MB.
    @Test(arguments: Driver.allCases) func `holds when a thousand clients do not read`(driver: Driver) async throws {
        let origin = try await TestOrigin { $0.path == "/large" ? .large(300_000) : .echo }
        let observer = RecordingObserver()
        try await withRouter(
            driver,
            configure: {
                $0.threads = 1
                $0.maxBufferedBytes = Self.budget
                $0.maxConnectionsPerAddress = 5000
                $0.minimumResponseRate = 0
                $0.maxInFlightPerBackend = 5000
            }, observer: observer
        ) { router, port in
            try router.setOrigins([origin])
            let polite = try await RawClient(port: port)
            let greedy = Mutex<[ScriptSocket]>([])
            let answers = Mutex<[Int: Int]>([:])
            for _ in 0..<20 {
                try await onThread {
                    for _ in 0..<50 {
                        let client = try ScriptSocket(port: port, buffers: .init(receive: 4096, segment: 536))
                        try client.write("GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
                        greedy.withLock { $0.append(client) }
                    }
                }
                polite.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
                let status = await polite.response()?.status ?? 0
                answers.withLock { $0[status, default: 0] += 1 }
            }
            let overloaded = await observer.records(atLeast: 100).count { $0.errorCode == .overloaded }
            #expect(overloaded > 20, "\(overloaded)")
            #expect(answers.withLock { $0 } == [200: 20])
            let seen = await ledgers(router)
            #expect(seen.peak > Self.budget / 2)
            #expect(seen.peak <= Self.budget, "\(seen)")
            // When they have gone, so has what was held for them.
            greedy.withLock { for client in $0 { client.end() } }
            await polite.close()
            #expect(await eventually { router.inFlight(application: "app") == 0 })
            #expect(await self.held(by: router) { $0 == 0 } == 0)
        }
        await origin.stop()
    }

    @Test(arguments: Driver.allCases) func `counts what waits on the streams of HTTP/2`(driver: Driver) async throws {
        let origin = try await TestOrigin { $0.path == "/large" ? .large(300_000) : .echo }
        try await withRouter(
            driver,
            configure: {
                $0.threads = 1
                $0.maxBufferedBytes = Self.budget
                $0.maxInFlightPerBackend = 5000
            }
        ) { router, port in
            try router.setOrigins([origin])
            try await onThread {
                let greedy = try (0..<3).map { _ in
                    let socket = try ScriptSocket(port: port, buffers: .init(receive: 4096, segment: 536))
                    let client = ScriptHTTP2(socket, .client(isSecure: false), consumes: false)
                    for _ in 0..<100 { try client.ask("GET /large") }
                    return client
                }
                // Somebody has to go.
                var waiting = greedy.map { pollfd(fd: $0.socket.descriptor, events: 0, revents: 0) }
                #expect(poll(&waiting, 3, 20_000) > 0)
                let polite = ScriptHTTP2(try ScriptSocket(port: port), .client(isSecure: false))
                #expect(try polite.response(polite.ask("POST /", body: "hello")).body == "hello")
            }
            let seen = await ledgers(router)
            #expect(seen.peak <= Self.budget, "\(seen)")
            // Their connections have gone with the thread's last word.
            #expect(await self.held(by: router) { $0 == 0 } == 0)
        }
        await origin.stop()
    }

    @Test(arguments: Driver.allCases) func `counts bodies that wait for their instances`(driver: Driver) async throws {
        let origin = try await TestOrigin { _ in .echo }
        try await withRouter(
            driver,
            configure: {
                $0.threads = 1
                $0.maxBufferedBytes = Self.budget
            }
        ) { router, port in
            try router.setOrigins([]) { $0.hold = HoldPolicy() }
            let clients = try await onThread {
                try (0..<40).map { _ in
                    let client = try ScriptSocket(port: port)
                    try client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n")
                    try client.write([UInt8](repeating: 0x78, count: 50_000))
                    return client
                }
            }
            let held = await self.held(by: router) { $0 >= 40 * 50_000 }
            #expect(held >= 40 * 50_000, "\(held)")
            #expect(held < 40 * 51_000, "\(held)")
            try router.setOrigins([origin]) { $0.hold = HoldPolicy() }
            let bodies = try await onThread { try clients.map { try $0.readMessage().body.utf8.count } }
            #expect(bodies.allSatisfy { $0 == 50_000 })
            #expect(await self.held(by: router) { $0 == 0 } == 0)
        }
        await origin.stop()
    }
}
