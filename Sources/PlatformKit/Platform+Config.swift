internal import MetricsCore
public import PlatformWire
internal import Synchronization

extension Platform {
    /// The config variables of an application.
    public func config(of name: String) async throws(PlatformError) -> [String: String] {
        let application = try await self.find(name)
        return try self.sealer.open(application.sealedConfig, for: application.id)
    }

    /// Sets (a value) or removes (`nil`) config variables, as a new release that is rolled out.
    ///
    /// - Returns: the release; `nil` when nothing was deployed yet, or nothing changed, so that there is none to make.
    /// - Throws: `refused` when the release fails; the config is then as it was before.
    public func setConfig(
        _ changes: [String: String?], of name: String, by principal: Principal, output: any ProgressOutput
    ) async throws(PlatformError) -> ReleaseInfo? {
        for (key, value) in changes { try Self.check(variable: key, value: value) }
        let application = try await self.find(name)
        let present = try self.sealer.open(application.sealedConfig, for: application.id)
        guard try self.applying(changes, to: present) != present else { return nil }
        if application.liveRelease == nil, try await self.saveConfig(changes, of: application, by: principal) {
            return nil
        }
        let names = changes.keys.sorted().joined(separator: ", ")
        let verb = changes.values.contains { $0 != nil } ? "Set" : "Unset"
        let info = try await self.withDeployment(
            of: name, description: "config \(names)", commit: nil, by: principal, carriesSource: false,
            action: "config.set", output: output
        ) { run in
            guard let version = run.application.liveRelease,
                let live = try await self.store.read({ try $0.release(version, of: run.application.id) })
            else { throw PlatformError(.conflict, "\(name) has no release") }
            let current = try self.sealer.open(run.application.sealedConfig, for: run.application.id)
            let config = try self.applying(changes, to: current)
            _ = try await run.release(
                ReleaseDraft(
                    slug: live.slug, commit: live.commit, description: "\(verb) config \(names)",
                    processTypes: live.processTypes, releaseCommand: live.releaseCommand, life: live.life,
                    config: config))
        }
        return try await self.release(info.release ?? 0, of: try await self.current(application).name)
    }

    /// Changes the config of an application without a release; `false` when it has one by now.
    ///
    /// In turn, because the first deployment, when it goes live, writes back the config that it began with.
    private func saveConfig(
        _ changes: [String: String?], of application: ApplicationRecord, by principal: Principal
    ) async throws(PlatformError) -> Bool {
        try await self.inTurn(application) { application in
            guard application.liveRelease == nil else { return false }
            let saved = try await self.writing { records in
                guard var current = try records.application(id: application.id) else { return application }
                let config = try self.applying(changes, to: self.sealer.open(current.sealedConfig, for: current.id))
                current.sealedConfig = try self.sealer.seal(config, for: current.id)
                try records.save(current)
                return current
            }
            self.logs.setSecrets(try self.secrets(of: saved), for: saved.id)
            let names = changes.keys.sorted().joined(separator: ", ")
            try await self.audit("config.set", application, names, by: principal)
            return true
        }
    }

    private func applying(
        _ changes: [String: String?], to config: [String: String]
    ) throws(PlatformError) -> [String: String] {
        var config = config
        for (name, value) in changes { config[name] = value }
        let size = config.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        guard size <= self.configuration.maxConfigBytes else {
            throw PlatformError(
                .limit, "the config would be \(size) bytes; at most \(self.configuration.maxConfigBytes) are allowed")
        }
        return config
    }

    private static func check(variable name: String, value: String?) throws(PlatformError) {
        let isValid =
            name.utf8.allSatisfy {
                (65...90).contains($0) || (97...122).contains($0) || (48...57).contains($0) || $0 == 95
            } && !name.isEmpty && !(48...57).contains(name.utf8.first ?? 48) && name.utf8.count <= 255
        guard isValid else {
            throw PlatformError(
                .invalid, "\(name.debugDescription) is no name for a variable: use letters, digits and underscores")
        }
        guard name != "PORT", !name.hasPrefix("SLIPWAY_") else {
            throw PlatformError(.invalid, "\(name) is set by the platform itself")
        }
        guard value?.utf8.contains(0) != true else {
            throw PlatformError(.invalid, "the value of \(name) contains a NUL, which no process can be given")
        }
    }
}
