import SystemPackage

/// Installs, builds and prunes a Node.js application.
struct NodeSteps: Sendable {
    let context: BuildContext
    let package: NodePackage
    let manager: NodePackageManager
    let isLocked: Bool
    let isBerry: Bool

    func perform() async throws {
        try await self.script("heroku-prebuild")
        let needsPackages = self.package.hasDependencies || self.package.hasDevelopmentDependencies
        if needsPackages {
            try await self.install()
        } else {
            await self.context.output.detail("package.json names no dependencies: nothing to install")
        }
        // Heroku's own script replaces `build`.
        if self.package.scripts["heroku-postbuild"] != nil {
            try await self.script("heroku-postbuild")
        } else {
            try await self.script("build")
        }
        if self.package.hasDevelopmentDependencies { try await self.prune() }
        try await self.script("heroku-cleanup")
    }

    private func install() async throws {
        let arguments = self.manager.install(isLocked: self.isLocked, isBerry: self.isBerry)
        await self.context.output.step("Installing packages by \(self.manager.rawValue) \(arguments[0])")
        if !self.isLocked {
            await self.context.output.warning(
                "There is no lock file: each build may install other versions. Commit the one that "
                    + "`\(self.manager.rawValue) install` writes")
        }
        do throws(BuildError) {
            try await self.run(arguments)
        } catch {
            throw error.explained("Packages could not be installed. \(Self.hint(error.tail))")
        }
    }

    private func script(_ name: String) async throws {
        guard self.package.scripts[name] != nil else { return }
        await self.context.output.step("Running the script `\(name)` of package.json")
        do throws(BuildError) {
            try await self.run(["run", name])
        } catch {
            throw error.explained("The script `\(name)` of package.json failed.")
        }
    }

    private func prune() async throws {
        guard let arguments = self.manager.prune(isBerry: self.isBerry) else { return }
        await self.context.output.step("Removing packages that only the build needed")
        try await self.run(arguments)
    }

    /// Runs the package manager, with its cache where it persists.
    private func run(_ arguments: [String]) async throws(BuildError) {
        let command = try self.command()
        let cache = self.context.cache
        try await self.context.run(
            command[0], command.dropFirst() + arguments,
            environment: [
                "npm_config_cache": cache.appending("npm").string,
                "npm_config_update_notifier": "false",
                "npm_config_progress": "false",
                "npm_config_logs_max": "0",
                // npm's own patience with a registry that is not there is more than a minute.
                "npm_config_fetch_retries": "3",
                "npm_config_fetch_retry_mintimeout": "1000",
                "npm_config_fetch_retry_maxtimeout": "5000",
                "YARN_CACHE_FOLDER": cache.appending("yarn").string,
                "YARN_ENABLE_TELEMETRY": "0",
                "npm_config_store_dir": cache.appending("pnpm").string,
                "COREPACK_HOME": cache.appending("corepack").string,
                "COREPACK_ENABLE_DOWNLOAD_PROMPT": "0",
                "CI": "true",
            ])
    }

    /// The package manager on the search path, else through Corepack.
    private func command() throws(BuildError) -> [String] {
        if let found = self.context.find(self.manager.rawValue) { return [found.string] }
        if self.manager != .npm, let corepack = self.context.find("corepack") {
            return [corepack.string, self.manager.rawValue]
        }
        let how = self.manager == .npm ? "on Debian: npm" : "or Corepack, which brings it"
        throw BuildError(
            .runtimeMissing,
            "This application is built by \(self.manager.rawValue), which is not on the search path for builds. "
                + "Install it (\(how)).")
    }

    /// What a failure of the package manager usually means.
    static func hint(_ lines: [String]) -> String {
        let text = lines.joined(separator: "\n")
        let network = ["ENOTFOUND", "ETIMEDOUT", "ECONNREFUSED", "ECONNRESET", "EAI_AGAIN", "ERR_SOCKET", "network"]
        if network.contains(where: { text.contains($0) }) {
            return "The package registry could not be reached from this machine."
        }
        if text.contains("E404") || text.contains("404 Not Found") || text.contains("ETARGET") {
            return "The package registry does not have one of the packages or versions."
        }
        if text.contains("EUSAGE") || text.contains("frozen-lockfile") || text.contains("ERR_PNPM_OUTDATED_LOCKFILE") {
            return "The lock file and package.json do not agree; install locally and commit the lock file."
        }
        return "The last lines say why."
    }
}
