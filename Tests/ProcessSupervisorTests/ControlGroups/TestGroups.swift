@testable import ProcessSupervisor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Control groups of a test's own.
enum TestGroups {
    /// Whether memory and processes can be limited here. Asked once, by making groups and removing them again.
    static let areUsable: Bool = {
        guard let groups = try? ControlGroups.open(named: "slipway-test-\(getpid())-probe") else { return false }
        defer { groups.remove() }
        return groups.place(of: .memory) != nil && groups.place(of: .processes) != nil
            && groups.place(of: .membership) != nil
    }()

    /// Gives `body` a name that nobody else has, and removes what is left when it returns.
    static func with<R>(_ body: (String) async throws -> R) async throws -> R {
        let name = "slipway-test-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        do {
            let result = try await body(name)
            try? ControlGroups.open(named: name).remove()
            return result
        } catch {
            let groups = try? ControlGroups.open(named: name)
            for startID in groups?.startIDs() ?? [] { await groups?.end(startID) }
            groups?.remove()
            throw error
        }
    }
}
