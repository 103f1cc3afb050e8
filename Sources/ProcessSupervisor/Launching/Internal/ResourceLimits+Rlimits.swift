import CProcessLauncher

extension ResourceLimits {
    /// The limits of each process: what no control group holds.
    func rlimits(hasUser: Bool, groups: ControlGroups?) -> [slipway_limit] {
        var limits = [slipway_limit(resource: slipway_limit_core, value: 0)]
        if let memoryBytes, groups?.place(of: .memory) == nil {
            limits.append(Self.limit(slipway_limit_data, memoryBytes))
        }
        if let maxOpenFiles { limits.append(Self.limit(slipway_limit_files, maxOpenFiles)) }
        if let maxProcesses, hasUser, groups?.place(of: .processes) == nil {
            limits.append(Self.limit(slipway_limit_processes, maxProcesses))
        }
        return limits
    }

    private static func limit(_ resource: Int32, _ value: Int) -> slipway_limit {
        slipway_limit(resource: resource, value: UInt64(max(value, 0)))
    }
}
