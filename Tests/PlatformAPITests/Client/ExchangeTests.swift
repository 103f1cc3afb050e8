import AsyncHTTPClient
import Foundation
import PlatformWire
import Testing

@testable import PlatformClient

@Suite(.timeLimit(.minutes(1)))
struct ExchangeTests {
    @Test func `cuts lines wherever the network cut them`() throws {
        let text = "one\n\ntwo\r\nthree"
        for size in 1...text.utf8.count {
            var splitter = LineSplitter(maximumLineBytes: 10)
            var lines: [String] = []
            var rest = Array(text.utf8)[...]
            while !rest.isEmpty {
                lines += try splitter.append(rest.prefix(size)).map { String(decoding: $0, as: UTF8.self) }
                rest = rest.dropFirst(size)
            }
            if let last = splitter.finish() { lines.append(String(decoding: last, as: UTF8.self)) }
            #expect(lines == ["one", "two\r", "three"])
        }
    }

    @Test func `refuses a line without end`() {
        var splitter = LineSplitter(maximumLineBytes: 4)
        #expect(throws: ClientError.self) { try splitter.append(Array("12345".utf8)) }
    }

    @Test(arguments: [
        (StreamEvent<Int?>.line("a/b"), #"{"line":"a/b"}"#), (.output(Data([0, 255])), #"{"output":"AP8="}"#),
        (.result(nil), #"{"result":null}"#), (.result(3), #"{"result":3}"#),
    ])
    func `writes events with one member, and reads them back`(event: StreamEvent<Int?>, text: String) throws {
        let data = try WireJSON.encode(event)
        #expect(String(decoding: data, as: UTF8.self) == text)
        #expect(try WireJSON.encode(WireJSON.decode(StreamEvent<Int?>.self, from: data)) == data)
    }

    @Test(arguments: ["2026-11-21T03:08:59.125Z", "1970-01-01T00:00:00.000Z"])
    func `keeps dates to the millisecond`(text: String) throws {
        let date = try #require(WireJSON.date(of: text))
        #expect(WireJSON.text(of: date) == text)
        #expect(WireJSON.date(of: "2026-11-21T03:08:59Z") != nil)
        #expect(WireJSON.date(of: "yesterday") == nil)
    }

    @Test func `encodes what goes into a path or a query`() {
        let call = Call(.get, "apps", "a/../b ü", query: [("source", "a&b=c")])
        #expect(call.target == "/api/v1/apps/a%2F..%2Fb%20%C3%BC?source=a%26b%3Dc")
    }

    @Test(arguments: ["127.0.0.1:8081", "", "ftp://host"])
    func `says what an address looks like`(url: String) async throws {
        try await withAPIClient(APIClient.Configuration(url: url, token: "t")) { client in
            let error = await #expect(throws: ClientError.self) { try await client.applications() }
            #expect(error?.code == .invalid)
        }
    }

    @Test func `says which host does not answer, and what to check`() async throws {
        // Port 1 of the loopback interface: nobody listens there.
        try await withAPIClient(APIClient.Configuration(url: "http://127.0.0.1:1", token: "t")) { client in
            let error = await #expect(throws: ClientError.self) { try await client.applications() }
            #expect(error?.code == .unreachable)
            #expect(error?.message.contains("http://127.0.0.1:1") == true)
            #expect(error?.message.contains("slipway serve") == true)
        }
    }

    @Test func `takes the handoff as the pace`() async throws {
        let channel = HandoffChannel<Int>()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for number in 0..<100 { try await channel.send(number) }
                channel.finish()
            }
            var received: [Int] = []
            for try await number in channel { received.append(number) }
            #expect(received == Array(0..<100))
            try await group.waitForAll()
        }
        await #expect(throws: CancellationError.self) { try await channel.send(1) }
    }

    @Test func `lets a sender go that is cancelled, and takes the others`() async throws {
        let channel = HandoffChannel<Int>()
        let cancelled = Task { try await channel.send(1) }
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        let other = Task {
            try await channel.send(2)
            channel.finish()
        }
        var received: [Int] = []
        for try await number in channel { received.append(number) }
        #expect(received == [2])
        try await other.value
    }
}
