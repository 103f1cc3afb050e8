#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension HostLauncher {
    /// What holds each limit: control groups where there are any, resource limits where there are none.
    public var enforcements: [LimitEnforcement] {
        LimitEnforcement.Limit.allCases.map { limit in
            switch limit {
            case .memory: self.enforcement(limit, by: .memory, otherwise: .process, "RLIMIT_DATA")
            case .softMemory: self.enforcement(limit, by: .memory, otherwise: .none, "nothing")
            case .cpu: self.enforcement(limit, by: .cpu, otherwise: .none, "nothing")
            case .processes:
                // Only root gives instances users; that of the host has processes beside theirs.
                geteuid() == 0
                    ? self.enforcement(
                        limit, by: .processes, otherwise: .user, "RLIMIT_NPROC, where the instance has a user,")
                    : self.enforcement(limit, by: .processes, otherwise: .none, "nothing")
            case .openFiles: LimitEnforcement(limit: limit, scope: .process, means: "RLIMIT_NOFILE")
            case .disk:
                self.isSandboxed
                    ? LimitEnforcement(
                        limit: limit, scope: .instance, means: "file systems of its own, one for each place to write to"
                    )
                    : LimitEnforcement(
                        limit: limit, scope: .none, means: "nothing, as instances write to the host's file systems")
            case .coreDumps: LimitEnforcement(limit: limit, scope: .process, means: "RLIMIT_CORE")
            }
        }
    }

    private func enforcement(
        _ limit: LimitEnforcement.Limit, by facility: GroupFacility, otherwise scope: LimitEnforcement.Scope,
        _ means: String
    ) -> LimitEnforcement {
        guard let groups else {
            return LimitEnforcement(
                limit: limit, scope: scope, means: "\(means), as the launcher was given no control groups")
        }
        if let place = groups.place(of: facility) {
            let version = place.version == .two ? 2 : 1
            return LimitEnforcement(
                limit: limit, scope: .instance, means: "control groups, version \(version), \(place.parent)")
        }
        return LimitEnforcement(limit: limit, scope: scope, means: "\(means), as \(groups.absences[facility] ?? "")")
    }
}
