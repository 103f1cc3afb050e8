import AsyncHTTPClient
import Logging
import NIOCore
import SlugStore
import SlugStoreRemotes
import Synchronization
import SystemPackage

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Opens what the arguments name, with what is needed to speak to it.
final class Places: Sendable {
    let environment: [String: String]
    let logger: Logger
    /// Made when something far away is spoken to: most commands never do.
    private let client = Mutex<HTTPClient?>(nil)
    /// Whose password the environment has.
    private let ownRegistry = Mutex<RemoteEndpoint?>(nil)

    init(environment: [String: String], logger: Logger) {
        self.environment = environment
        self.logger = logger
    }

    /// Ends the connections.
    func close() async throws { try await self.client.withLock { $0.take() }?.shutdown() }

    var transport: RemoteTransport {
        RemoteTransport(
            client: self.client.withLock { client in
                if let client { return client }
                var configuration = HTTPClient.Configuration()
                // A redirect would be followed with the password. Who sends the request knows where it may go, and how.
                configuration.redirectConfiguration = .disallow
                configuration.timeout.connect = .seconds(10)
                let new = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
                client = new
                return new
            })
    }

    /// - Parameter isNew: Whether one is made in a directory where there is none.
    func repository(_ place: String, isNew: Bool = false) throws -> any SlugRepository {
        let isRemote = RemoteAddress.isAddress(place)
        let directory = isRemote ? self.environment["SLUG_CACHE"] ?? "slug-cache" : place
        guard isRemote || isNew || FileManager.default.fileExists(atPath: "\(place)/format") else {
            throw SlugStoreError(code: .notFound, message: "\(place) is no repository: it has no file `format`.")
        }
        let local = LocalSlugRepository(configuration: .init(directory: FilePath(directory)), logger: self.logger)
        guard isRemote else { return local }
        let address = try RemoteAddress(place)
        let credentials =
            switch address.kind {
            case .bucket: self.pair("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
            case .registry(let endpoint, _): self.credentials(for: endpoint)
            }
        let store = try address.objectStore(credentials: credentials, transport: self.transport)
        return TieredSlugRepository(local: local, remote: store, logger: self.logger)
    }

    func images(_ reference: ImageReference, mountableFrom repositories: [String] = []) throws -> RegistryImageStore {
        var configuration = RegistryImageStore.Configuration()
        configuration.mountableFrom = repositories
        return try reference.imageStore(
            credentials: self.credentials(for: reference.endpoint), transport: self.transport,
            configuration: configuration)
    }

    /// Where what is needed for a moment is kept.
    static var temporary: FilePath { FilePath(FileManager.default.temporaryDirectory.path) }

    /// A directory for one command to make, which is removed after it; what a command that was killed has left, later ones remove.
    func withDirectory(_ body: (FilePath) async throws -> Void) async throws {
        let failure: (any Error)? = try await WorkingDirectory.with(in: Self.temporary) { directory in
            do { try await body(directory) } catch { return error }
            return nil
        }
        if let failure { throw failure }
    }

    // MARK: Credentials

    private func credentials(for registry: RemoteEndpoint) -> RemoteAddress.Credentials? {
        // The one that is named first, which the repository is: another one, that of a push for example, is not told its password.
        let isOwn = self.ownRegistry.withLock { own in
            if own == nil { own = registry }
            return own == registry
        }
        let pair = isOwn ? self.pair("REGISTRY_USER", "REGISTRY_PASSWORD") : nil
        return pair ?? self.dockerCredentials(for: registry)
    }

    private func pair(_ user: String, _ password: String, _ token: String? = nil) -> RemoteAddress.Credentials? {
        guard let user = self.environment[user], let password = self.environment[password] else { return nil }
        return .init(user: user, password: password, sessionToken: token.flatMap { self.environment[$0] })
    }

    private struct DockerConfiguration: Decodable {
        struct Entry: Decodable {
            var auth: String?
        }

        var auths: [String: Entry]?
    }

    /// What `docker login` has left in its file, if it has: programs that keep passwords elsewhere are not asked.
    private func dockerCredentials(for registry: RemoteEndpoint) -> RemoteAddress.Credentials? {
        let directory = self.environment["DOCKER_CONFIG"] ?? self.environment["HOME"].map { "\($0)/.docker" }
        guard let directory, let file = FileManager.default.contents(atPath: "\(directory)/config.json"),
            let auths = try? JSONDecoder().decode(DockerConfiguration.self, from: file).auths,
            let auth = (auths[registry.authority] ?? auths[registry.description])?.auth,
            let decoded = Data(base64Encoded: auth)
        else { return nil }
        let parts = String(decoding: decoded, as: UTF8.self).split(
            separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        return .init(user: String(parts[0]), password: String(parts[1]))
    }
}
