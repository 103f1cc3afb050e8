import Foundation
import Logging
import PlatformKit
import ProcessSupervisor
import SystemPackage

/// How a host keeps instances from the machine and from each other. It is found out once in the life of a host.
///
/// A host whose upgrade failed makes its platform anew, and does so with what it had: what fails to work in that moment fails
/// each start, with its reason, until it works again; programs of strangers are not run beside everything else for it.
///
/// What was found is in the data directory, for the next host. With `strongest` that one has no less, for its instances were
/// promised no less, and those that it adopts still run so:
/// - A *successor* that finds less does not take over: the host before it works, and goes on.
/// - A host that is *started* serves what it adopts, and starts nothing until what is wrong is mended. Were it to end instead,
///   applications that run would be served by nobody; were it to start them in a weaker level, whoever can make the probe fail
///   once would choose the level.
///
/// An operator who names a weaker level has it, and is told of the instances that run in the stronger one.
struct Confinement {
    /// What the next host is to know of it.
    private struct Record: Codable, Equatable {
        var level: Isolation.Level
        var users: ClosedRange<UInt32>?
    }

    let isolation: Isolation
    /// Of which each application has one; nil: all run as the host's user.
    let users: ClosedRange<UInt32>?
    let policy: SandboxPolicy
    let containers: OCIRuntime?

    /// - Parameter takesOver: whether another host goes on when this one cannot be.
    init(
        _ settings: ServeSettings, data: DataDirectory, executable: String?, takesOver: Bool, logger: Logger
    ) async throws {
        self.policy = settings.sandbox(data, executable: executable)
        self.containers =
            settings.isolation == .oci ? OCIRuntime(settings.ociRuntime, directory: data.containers) : nil
        let former = Self.read(data, logger)
        (self.isolation, self.users) = try await settings.isolation(
            self.policy, tree: data.slugs, self.containers, least: former?.level ?? .host,
            keepsUsers: former?.users != nil)
        if let failure = self.isolation.failure {
            let level = self.isolation.level.rawValue
            let text =
                "isolation \"\(level)\", in which instances were started until now, does not work any more: \(failure)"
            if takesOver { throw PlatformError(.refused, text) }
            logger.error(
                "\(text). What runs goes on, and nothing is started before that is mended; to have less instead, say --isolation host"
            )
        } else {
            logger.notice("\(self.isolation)")
        }
        if let former, former.level > self.isolation.level {
            logger.warning(
                "instances were started with the isolation \"\(former.level.rawValue)\" until now, and those that run have it; from now on they are started with \"\(self.isolation.level.rawValue)\", as --isolation says"
            )
        }
        logger.notice(
            "\(self.users.map { "each application has a user of its own, from \($0.lowerBound) to \($0.upperBound)" } ?? "applications run as the host's user")"
        )
        let record = Record(level: self.isolation.level, users: self.users)
        if record != former { try JSONEncoder().encode(record).write(to: Self.url(data), options: .atomic) }
    }

    private static func url(_ data: DataDirectory) -> URL { URL(filePath: data.confinement.string) }

    private static func read(_ data: DataDirectory, _ logger: Logger) -> Record? {
        guard let bytes = try? Data(contentsOf: Self.url(data)) else { return nil }
        do {
            return try JSONDecoder().decode(Record.self, from: bytes)
        } catch {
            logger.error("\(data.confinement) cannot be read, and is written anew: \(error)")
            return nil
        }
    }
}
