public import PlatformWire

/// Instances and one-offs.
extension APIClient {
    /// The instances of an application.
    public func instances(of application: String) async throws -> [InstanceInfo] {
        try await self.value(Call(.get, "apps", application, "ps"))
    }

    /// Sets how many instances of some process types are wanted, and of which sizes, and returns when they are there.
    public func scale(
        _ application: String, to quantities: [String: Int], sizes: [String: String] = [:], onLine: ProgressHandler
    ) async throws -> [InstanceInfo] {
        let call = try Call(.post, "apps", application, "ps", "scale").json(
            ScaleRequest(quantities: quantities, sizes: sizes.isEmpty ? nil : sizes))
        return try await self.events(call, result: [InstanceInfo].self, onLine: onLine)
    }

    /// Replaces instances by fresh ones: all (`nil`), those of a process type, or one.
    public func restart(
        _ target: String?, of application: String, onLine: ProgressHandler
    ) async throws -> [InstanceInfo] {
        let call = try Call(.post, "apps", application, "ps", "restart").json(InstanceSelection(target: target))
        return try await self.events(call, result: [InstanceInfo].self, onLine: onLine)
    }

    /// Stops one instance. The formation brings it back.
    public func stopInstance(_ name: String, of application: String) async throws -> [InstanceInfo] {
        let call = try Call(.post, "apps", application, "ps", "stop").json(InstanceSelection(target: name))
        return try await self.events(call, result: [InstanceInfo].self, onLine: { _ in })
    }

    /// Runs a command with the live release. `onOutput` gets its output as it comes, byte for byte.
    public func run(
        _ request: OneOffRequest, of application: String, onLine: ProgressHandler = { _ in },
        onOutput: @Sendable ([UInt8]) async throws -> Void
    ) async throws -> OneOffResult {
        let call = try Call(.post, "apps", application, "run").json(request)
        return try await self.events(call, result: OneOffResult.self, onLine: onLine, onOutput: onOutput)
    }
}
