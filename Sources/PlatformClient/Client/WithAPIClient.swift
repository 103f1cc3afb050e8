internal import AsyncHTTPClient
internal import NIOCore

/// Runs `body` with a client that has its own connections, and closes them afterwards, whatever happened.
///
/// For programs that have no `HTTPClient` of their own. Redirects are not followed: a host never sends one, and the token
/// would go with it.
public func withAPIClient<R>(
    _ configuration: APIClient.Configuration, isolation: isolated (any Actor)? = #isolation,
    _ body: (APIClient) async throws -> R
) async throws -> R {
    var transport = HTTPClient.Configuration(
        redirectConfiguration: .disallow, timeout: HTTPClient.Configuration.Timeout(connect: .seconds(10)))
    transport.httpVersion = .http1Only
    // Whoever waits wants to hear at once that nobody is there, not after tries for the time of the timeout.
    transport.connectionPool.retryConnectionEstablishment = false
    let httpClient = HTTPClient(eventLoopGroupProvider: .singleton, configuration: transport)
    do {
        let result = try await body(APIClient(configuration: configuration, httpClient: httpClient))
        try? await httpClient.shutdown()
        return result
    } catch {
        try? await httpClient.shutdown()
        throw error
    }
}
