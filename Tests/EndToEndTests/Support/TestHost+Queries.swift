import AsyncHTTPClient
import Foundation
import NIOCore
import PlatformWire
import Testing

extension TestHost {
    /// What runs, as the client lists it.
    func instances(_ name: String) async throws -> [InstanceInfo] {
        try await self.list("ps", "list", "--app", name)
    }

    func releases(_ name: String) async throws -> [ReleaseInfo] {
        try await self.list("releases", "list", "--app", name)
    }

    func deployments(_ name: String) async throws -> [DeploymentInfo] {
        try await self.list("builds", "list", "--app", name)
    }

    func metricsText() async throws -> String {
        let response = try await HTTPClient.shared.execute(
            HTTPClientRequest(url: "http://\(self.admin)/metrics"), timeout: .seconds(30))
        return String(buffer: try await response.body.collect(upTo: 16 << 20))
    }

    func list<T: Decodable>(_ arguments: String...) async throws -> [T] {
        let result = try await self.slipway(arguments + ["--json"])
        try #require(result.status == 0, "\(result)")
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .custom { decoder in
            let text = try decoder.singleValueContainer().decode(String.self)
            return try Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        }
        return try decoder.decode([T].self, from: Data(result.output.utf8))
    }
}

/// Whether a process exists and is no zombie.
func isAlive(_ pid: Int32) -> Bool {
    guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else { return false }
    guard let end = stat.lastIndex(of: ")") else { return false }
    return !stat[end...].hasPrefix(") Z")
}
