import Foundation
import Subprocess

/// A server that speaks S3 and a bucket in it: the one that the environment names, or else moto, which believes every signature.
///
/// `SLIPWAY_TEST_S3_ENDPOINT`, `…_BUCKET`, `…_ACCESS_KEY` and `…_SECRET_KEY` name one, with `…_REGION` if it matters, and
/// `…_VIRTUAL_HOST` if it knows buckets by the names of hosts. What tests leave in the bucket, nobody removes.
public struct S3Server: Sendable {
    /// There is none in the environment, and moto is not installed.
    public struct Missing: Error {}

    /// Why tests are skipped without one.
    public static let advice: String =
        "moto is not installed (pip install 'moto[server]'), and SLIPWAY_TEST_S3_ENDPOINT names no server"

    /// Its URL.
    public var endpoint: String
    /// A URL of it whose host's name may have a bucket's name before it; such names need not be known to anybody but ``addresses``.
    public var virtualHostEndpoint: String?
    /// A bucket in it.
    public var bucket = "slipway-tests"
    /// The bucket's region.
    public var region = "us-east-1"
    /// The public half of what may use the bucket.
    public var accessKeyID = "AKIAIOSFODNN7EXAMPLE"
    /// Its secret half.
    public var secretAccessKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    /// The begin of all keys of this server's user, which nobody else has.
    public let prefix = "\(UUID().uuidString.lowercased())/"

    /// The addresses of hosts with a bucket's name before ``virtualHostEndpoint``.
    public var addresses: [String: String] {
        guard let host = self.virtualHostEndpoint.flatMap({ URL(string: $0)?.host }),
            let address = URL(string: self.endpoint)?.host
        else { return [:] }
        return ["\(self.bucket).\(host)": address]
    }

    /// Whether it knows who signs: one that the environment names does.
    public static var checksSignatures: Bool { self.named != nil }

    /// Whether buckets have hosts of their own.
    public static var hasVirtualHosts: Bool { self.named.map { $0.virtualHostEndpoint != nil } ?? true }

    /// Whether there is one.
    public static var isAvailable: Bool { self.named != nil || MotoServer.isInstalled }

    /// Has one while `body` runs.
    public static func with<R: Sendable>(_ body: @Sendable @escaping (S3Server) async throws -> R) async throws -> R {
        if let named = self.named { return try await body(named) }
        return try await MotoServer.with { port in
            var server = S3Server(endpoint: "http://127.0.0.1:\(port)")
            server.virtualHostEndpoint = "http://s3.localhost:\(port)"
            let made = try await run(
                .name("curl"), arguments: ["-fsS", "-X", "PUT", "\(server.endpoint)/\(server.bucket)"],
                output: .discarded, error: .string(limit: 10_000))
            guard made.terminationStatus == .exited(0) else { throw NoBucket(reason: made.standardError) }
            return try await body(server)
        }
    }

    private struct NoBucket: Error { var reason: String }

    private static var named: S3Server? {
        let environment = ProcessInfo.processInfo.environment
        func value(_ name: String) -> String? {
            environment["SLIPWAY_TEST_S3_\(name)"].flatMap { $0.isEmpty ? nil : $0 }
        }
        guard let endpoint = value("ENDPOINT") else { return nil }
        var server = S3Server(endpoint: endpoint)
        server.virtualHostEndpoint = value("VIRTUAL_HOST")
        if let bucket = value("BUCKET") { server.bucket = bucket }
        if let region = value("REGION") { server.region = region }
        if let key = value("ACCESS_KEY") { server.accessKeyID = key }
        if let secret = value("SECRET_KEY") { server.secretAccessKey = secret }
        return server
    }
}
