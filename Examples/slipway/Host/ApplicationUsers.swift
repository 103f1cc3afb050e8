import ArgumentParser
import Foundation
import ProcessSupervisor
import SystemPackage

/// What was said about the users of applications.
enum ApplicationUsers: Equatable {
    /// Nothing: they have their own where that works.
    case automatic
    case none
    case of(ClosedRange<UInt32>)

    /// Numbers that systems leave alone: above those of people, services and, as a rule, of containers' user namespaces.
    ///
    /// Of each range, the first is nobody's: what is tried at the start is tried as that one.
    static let standard: ClosedRange<UInt32> = 200_000...265_535

    init(_ text: String?) throws {
        switch text {
        case nil: self = .automatic
        case "none": self = .none
        case let text?:
            let bounds = text.split(separator: "-", omittingEmptySubsequences: false).map { UInt32($0) }
            guard bounds.count == 2, let first = bounds[0], let last = bounds[1], first >= 1000, first < last,
                last < .max
            else {
                throw ValidationError(
                    "--application-users takes FIRST-LAST, from 1000 on, such as 200000-265535, or none; \(text) is neither"
                )
            }
            guard geteuid() == 0 else {
                throw ValidationError(
                    "--application-users takes a host that is root, which alone may start processes of others")
            }
            self = .of(first...last)
        }
    }
}

extension ServeSettings {
    /// How instances are kept from the machine and from each other: what was wanted, or the most that works here.
    ///
    /// - Parameters:
    ///   - wanted: what was said about users.
    ///   - former: what there was before, of which not less is chosen by itself.
    func isolation(
        _ policy: SandboxPolicy, tree: FilePath, _ containers: OCIRuntime?, users wanted: ApplicationUsers,
        former: FormerConfinement
    ) async throws -> (Isolation, users: ClosedRange<UInt32>?) {
        // What was not asked for is not tried.
        func choose(as user: UInt32?) async throws -> Isolation {
            let findings =
                self.isolation == .host
                ? [:]
                : await Isolation.probe(
                    policy: policy, tree: tree, user: user.map { UserSpec(uid: $0, gid: $0) }, runtime: containers)
            return try Isolation(
                self.isolation, among: findings, atLeast: former.least,
                readOnlyBefore: former.record?.readOnlyReason)
        }
        switch wanted {
        case .none: return (try await choose(as: nil), nil)
        case .of(let range): return (try await choose(as: range.lowerBound), range)
        case .automatic:
            guard geteuid() == 0 else { return (try await choose(as: nil), nil) }
            // Those that applications have, before those that they could have: each change ends all instances.
            let users = former.record?.users ?? ApplicationUsers.standard
            let own: Isolation?
            do {
                own = try await choose(as: users.lowerBound)
            } catch  where !former.keepsUsers {
                own = nil
            }
            // On the host itself a user of its own could not write to its application's tree; and what could be done as one
            // user is not given up for having several.
            if let own, own.level != .host, former.keepsUsers || (own.readOnlyReason == nil && own.failure == nil) {
                return (own, users)
            }
            return (try await choose(as: nil), nil)
        }
    }
}
