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
/// What was found is in the data directory, for the next host. With `strongest`, or the level that they have by name, that one
/// has no less, for its instances were promised no less, and those that it adopts still run so:
/// - A *successor* that finds less does not take over: the host before it works, and goes on. It has the users of that host,
///   too, for the router still leads to instances that would have to end first; other users take a start.
/// - A host that is *started* serves what it adopts, and starts nothing until what is wrong is mended. Were it to end instead,
///   applications that run would be served by nobody; were it to start them in a weaker level, whoever can make the probe fail
///   once would choose the level.
///
/// An operator who names a weaker level has it, and is told of the instances that run in the stronger one.
struct Confinement {
    let isolation: Isolation
    /// Of which each application has one; nil: all run as the host's user.
    let users: ClosedRange<UInt32>?
    let policy: SandboxPolicy
    let containers: OCIRuntime?
    private let recordPath: FilePath
    private let record: FormerConfinement.Record?
    /// Whether this host starts instances before it serves, and promises them no less than others were promised.
    let promisesAtOnce: Bool

    /// - Parameter takesOver: whether another host goes on when this one cannot be.
    init(
        _ settings: ServeSettings, data: DataDirectory, executable: String?, takesOver: Bool, logger: Logger
    ) async throws {
        self.policy = settings.sandbox(data, executable: executable)
        self.containers =
            settings.isolation == .oci ? OCIRuntime(settings.ociRuntime, directory: data.containers) : nil
        let former = FormerConfinement(data, logger)
        var wanted = settings.applicationUsers
        if takesOver, let record = former.record {
            wanted = record.users.map { ApplicationUsers.of($0) } ?? ApplicationUsers.none
            if settings.applicationUsers != .automatic, settings.applicationUsers != wanted {
                logger.warning(
                    "applications keep their users in an upgrade: until now \(Self.describe(record.users)). What --application-users says holds from the next start on"
                )
            }
        }
        let (isolation, users) = try await settings.isolation(
            self.policy, tree: data.slugs, self.containers, users: wanted, former: former)
        self.isolation = isolation
        self.recordPath = data.confinement
        self.promisesAtOnce = !takesOver && isolation.level >= former.least
        if let failure = isolation.failure {
            let text =
                "\(former); the isolation \"\(isolation.level.rawValue)\", which is no less, does not work: \(failure)"
            if takesOver { throw PlatformError(.refused, "\(text). To have less, say --isolation host") }
            logger.error(
                "\(text). What runs goes on, and nothing is started before that is mended; to have less instead, say --isolation host"
            )
            // What was promised stays known, and what runs has the users that it had.
            self.users = former.record.map(\.users) ?? users
            self.record = nil
        } else {
            logger.notice("\(isolation)")
            self.users = users
            let record = FormerConfinement.Record(
                level: isolation.level, users: users, readOnlyReason: isolation.readOnlyReason)
            self.record = record == former.record ? nil : record
        }
        if let level = former.record?.level, level > isolation.level {
            logger.warning(
                "instances were started with the isolation \"\(level.rawValue)\" until now, and those that run have it; from now on they are started with \"\(isolation.level.rawValue)\", as --isolation says"
            )
        }
        logger.notice("\(Self.describe(self.users))")
    }

    /// Has the next host know. To be called when this one serves, for what one has tried that never did has promised nobody
    /// anything, and before it starts anything if it promises at once: it may not come to serve.
    func remember(_ logger: Logger) {
        guard let record else { return }
        do {
            try record.write(to: self.recordPath)
        } catch {
            logger.error(
                "cannot write \(self.recordPath), by which the next start would know how instances are isolated: \(error)"
            )
        }
    }

    static func describe(_ users: ClosedRange<UInt32>?) -> String {
        users.map { "each application has a user of its own, from \($0.lowerBound) to \($0.upperBound)" }
            ?? "applications run as the host's user"
    }
}
