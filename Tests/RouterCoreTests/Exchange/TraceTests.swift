import Foundation
import Testing

@testable import RouterCore

@Suite struct `A trace` {
    private static let id = "4bf92f3577b34da6a3ce929d0e0e4736"
    private static let good = "00-\(id)-00f067aa0ba902b7-01"

    /// What the instance is sent for a request with these fields.
    private func forwarded(_ fields: String, startsTraces: Bool = false) -> String {
        let harness = ExchangeHarness { $0.startsTraces = startsTraces }
        harness.client("GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")
        return String(decoding: harness.toUpstream.first ?? [], as: UTF8.self)
    }

    @Test(
        arguments: [
            good, "00-\(id)-00f067aa0ba902b7-00", "00-\(id)-00f067aa0ba902b7-ff",
            "01-\(id)-00f067aa0ba902b7-01", "cc-\(id)-00f067aa0ba902b7-01-what-the-future-will-be-like",
            "00-00000000000000000000000000000001-0000000000000001-00",
        ]) func `that is valid passes unchanged`(value: String)
    {
        let sent = self.forwarded("TraceParent: \(value)\r\ntracestate: a=1,b=2\r\nTraceState: c=3\r\n")
        #expect(sent.contains("\r\nTraceParent: \(value)\r\ntracestate: a=1,b=2\r\nTraceState: c=3\r\n"))
        #expect(sent.lowercased().components(separatedBy: "traceparent").count == 2)
    }

    @Test(
        arguments: [
            "", "0", String(good.dropLast()), good + "0", good + "-01", good + "-",
            "00-\(id.uppercased())-00f067aa0ba902b7-01", "00-\(id)-00F067AA0BA902B7-01", "0A-\(id)-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "00-\(id)-0000000000000000-01",
            "ff-\(id)-00f067aa0ba902b7-01", "cc-\(id)-00f067aa0ba902b7-01.x", "00_\(id)_00f067aa0ba902b7_01",
            "00-\(id)-00f067aa0ba902b7-0x", "00-\(id)-00f067aa0ba902b-7-01", "\(good), \(good)",
        ]) func `that is not valid does not pass`(value: String)
    {
        let sent = self.forwarded("traceparent: \(value)\r\ntracestate: a=1\r\nX-Other: 1\r\n")
        #expect(!sent.lowercased().contains("trace"))
        #expect(sent.contains("\r\nX-Other: 1\r\n"))
    }

    @Test func `that is said twice, or only half, does not pass`() {
        let twice = "traceparent: \(Self.good)\r\ntraceparent: \(Self.good)\r\ntracestate: a=1\r\n"
        for fields in [twice, "traceparent: x\r\n" + twice, "tracestate: a=1\r\n"] {
            #expect(!self.forwarded(fields).lowercased().contains("trace"))
        }
        // What is meant for this hop alone is not for the next one.
        #expect(!self.forwarded("Connection: traceparent\r\ntraceparent: \(Self.good)\r\n").contains("trace"))
    }

    @Test(arguments: ["", "traceparent: x\r\ntracestate: a=1\r\n", "tracestate: a=1\r\n"])
    func `begins where it is asked for`(fields: String) throws {
        let sent = self.forwarded(fields, startsTraces: true)
        #expect(!sent.contains("tracestate"))
        let line = try #require(sent.split(separator: "\r\n").first { $0.hasPrefix("traceparent: ") })
        var context = TraceContext()
        Array(line.dropFirst(13).utf8).withUnsafeBytes { context.read($0) }
        #expect(context.isKnown)
        #expect(line.hasPrefix("traceparent: 00-") && line.hasSuffix("-01"))
        // A valid one is not replaced.
        let valid = self.forwarded("traceparent: \(Self.good)\r\ntracestate: a=1\r\n", startsTraces: true)
        #expect(valid.contains("traceparent: \(Self.good)\r\ntracestate: a=1\r\n"))
        #expect(valid.components(separatedBy: "traceparent").count == 2)
    }

    @Test func `has room in the longest head`() {
        let id = String(repeating: "i", count: 200)
        let sent = self.forwarded("X-Request-ID: \(id)\r\nX-Forwarded-For: 1.2.3.4\r\n", startsTraces: true)
        #expect(sent.contains("X-Request-ID: \(id)\r\n"))
        #expect(sent.contains("traceparent: 00-"))
    }

    @Test(.timeLimit(.minutes(1)), arguments: [true, false]) func `is in records and in the log`(starts: Bool)
        async throws
    {
        let origin = try await TestOrigin { _ in .echo }
        let observer = RecordingObserver()
        try await withRouter(configure: { $0.startsTraces = starts }, observer: observer) { router, port in
            try router.setOrigins([origin])
            let client = try await RawClient(port: port)
            client.send("GET / HTTP/1.1\r\nHost: a\r\ntraceparent: \(Self.good)\r\n\r\n")
            #expect(await client.response()?.status == 200)
            // What is for this hop alone the instance does not see, so the record does not say it either.
            for fields in ["", "Connection: TraceParent\r\ntraceparent: \(Self.good)\r\n"] {
                client.send("GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")
                #expect(await client.response()?.status == 200)
            }
            await client.close()
        }
        let records = await observer.records(atLeast: 3)
        #expect(records[0].traceID == Self.id)
        for index in 1...2 {
            #expect(records[index].traceID?.utf8.count == (starts ? 32 : nil))
            #expect(records[index].traceID != Self.id)
            let head = origin.requests[index].head
            #expect(head.contains("traceparent") == starts)
            if let id = records[index].traceID { #expect(head.contains("traceparent: 00-\(id)-")) }
        }
        await origin.stop()
    }
}
