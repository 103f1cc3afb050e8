import AsyncHTTPClient
import SlugStoreRemotes
import TestSupport
import Testing

extension S3Server {
    /// A store under a prefix that no other has.
    func store(
        _ prefix: String, _ transport: RemoteTransport,
        _ adjust: (inout S3ObjectStore.Configuration) -> Void = { _ in }
    ) throws -> S3ObjectStore {
        let endpoint: RemoteEndpoint = try #require(RemoteEndpoint(self.endpoint))
        var configuration = S3ObjectStore.Configuration(
            bucket: self.bucket, region: self.region,
            credentials: .init(accessKeyID: self.accessKeyID, secretAccessKey: self.secretAccessKey),
            endpoint: endpoint)
        configuration.prefix = self.prefix + prefix
        adjust(&configuration)
        if configuration.addressing == .virtualHost {
            configuration.endpoint = try #require(self.virtualHostEndpoint.flatMap { RemoteEndpoint($0) })
        }
        return try S3ObjectStore(configuration: configuration, transport: transport)
    }
}

/// Has a server that speaks S3, and a client that finds the hosts of its buckets.
func withS3Server(_ body: @Sendable @escaping (S3Server, RemoteTransport) async throws -> Void) async throws {
    try await S3Server.with { server in
        try await withClient({ $0.dnsOverride = server.addresses }) { client in
            try await body(server, makeTransport(client))
        }
    }
}
