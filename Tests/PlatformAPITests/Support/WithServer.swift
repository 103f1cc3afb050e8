import AsyncHTTPClient
import Logging
import NIOCore
import NIOHTTP1
import PlatformAPI
import PlatformClient
import SystemPackage
import TestSupport

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A server of a fake on a free port of the loopback interface.
struct RunningServer {
    let platform: FakeControlPlane
    let url: String
    let uploads: FilePath
    let httpClient: HTTPClient

    func client(_ token: String? = "admin-token") -> APIClient {
        APIClient(configuration: APIClient.Configuration(url: self.url, token: token), httpClient: self.httpClient)
    }

    /// Sends a request as it is, and reads the whole answer.
    func send(
        _ method: String, _ path: String, token: String? = "admin-token", headers: [(String, String)] = [],
        body: String? = nil
    ) async throws -> (status: Int, headers: [String: String], body: String) {
        var request = HTTPClientRequest(url: self.url + path)
        request.method = .init(rawValue: method)
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let body { request.body = .bytes(ByteBuffer(string: body)) }
        let response = try await self.httpClient.execute(request, timeout: .seconds(30))
        let bytes = try await response.body.collect(upTo: 1 << 20)
        let fields = Dictionary(response.headers.map { ($0.name.lowercased(), $0.value) }) { first, _ in first }
        return (Int(response.status.code), fields, String(buffer: bytes))
    }
}

func withServer(
    configure: (inout APIServer.Configuration) -> Void = { _ in },
    _ body: (RunningServer) async throws -> Void
) async throws {
    try await withTemporaryDirectory { directory in
        let platform = FakeControlPlane()
        var configuration = APIServer.Configuration(uploadDirectory: directory.appending("uploads"))
        configuration.port = 0
        configure(&configuration)
        let server = APIServer(
            platform: platform, configuration: configuration,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            let address = try await server.listening()
            let httpClient = HTTPClient(eventLoopGroupProvider: .singleton)
            do {
                try await body(
                    RunningServer(
                        platform: platform, url: "http://\(address)", uploads: configuration.uploadDirectory,
                        httpClient: httpClient))
            } catch {
                try? await httpClient.shutdown()
                throw error
            }
            try await httpClient.shutdown()
            group.cancelAll()
        }
    }
}
