import CProcessLauncher
import ProcessSupervisorTesting
import Testing

@testable import ProcessSupervisor

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The same attacks by instances of every launcher. What each stops is what `SECURITY.md` says.
@Suite(.serialized, .timeLimit(.minutes(2))) struct IsolationAttackTests {
    /// As root, who can give instances users, and with control groups, which one of the attacks is about.
    @Test(
        .enabled("it takes root, control groups, sandboxes and an OCI runtime") {
            guard getuid() == 0, TestGroups.areUsable, await TestSandbox.isUsable else { return false }
            return await TestContainers.areUsable
        }, arguments: IsolationAttack.Attacker.allCases)
    func `what is said to be stopped is stopped, and what is said not to be is not`(
        attacker: IsolationAttack.Attacker
    ) async throws {
        try await TestGroups.with { name in
            try await AttackScene.with(attacker, groups: try ControlGroups.open(named: name)) { scene in
                for (number, attack) in IsolationAttack.all.enumerated() {
                    let (succeeded, said) = try await scene.run(attack, number: number)
                    #expect(
                        succeeded == attack.isToSucceed(attacker, landlock: slipway_landlock_version()),
                        "\(attack), \(attacker). It said:\n\(said)")
                }
                #expect(scene.supervisor.status(of: "victim")?.state == .ready)
            }
        }
    }

    @Test func `every attack has a name of its own`() {
        #expect(Set(IsolationAttack.all.map(\.name)).count == IsolationAttack.all.count)
    }

    /// To write the table into the document, run this with `SLIPWAY_WRITE_SECURITY=1`.
    @Test func `the document says what these attacks say`() throws {
        let path = #filePath.split(separator: "/").dropLast(4).map { "/\($0)" }.joined() + "/SECURITY.md"
        let document = try String(contentsOfFile: path, encoding: .utf8)
        let (begin, end) = ("<!-- attacks: begin -->\n", "<!-- attacks: end -->")
        let first = try #require(document.firstRange(of: begin)?.upperBound)
        let last = try #require(document.firstRange(of: end)?.lowerBound)
        if ProcessInfo.processInfo.environment["SLIPWAY_WRITE_SECURITY"] == "1" {
            let new = document[..<first] + Self.table + document[last...]
            try new.write(toFile: path, atomically: true, encoding: .utf8)
        } else {
            #expect(
                document[first..<last] == Self.table,
                "write it anew: SLIPWAY_WRITE_SECURITY=1 swift test --filter \(Self.self)")
        }
    }

    private static var table: String {
        let attackers = IsolationAttack.Attacker.allCases
        let head = "| an instance tries to | \(attackers.map(\.rawValue).joined(separator: " | ")) |\n"
        let line = "| --- |" + attackers.map { _ in " --- |" }.joined() + "\n"
        let rows = IsolationAttack.all.map { attack in
            let cells = attackers.map { attack.succeeds.contains($0) ? "**not stopped**" : "stopped" }
            return "| \(attack.name) | \(cells.joined(separator: " | ")) |\n"
        }
        return head + line + rows.joined()
    }
}
