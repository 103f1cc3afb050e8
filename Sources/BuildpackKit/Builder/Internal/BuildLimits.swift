import SystemPackage

/// Runs a build under its limits: whichever is hit first cancels it and becomes its error.
struct BuildLimits: Sendable {
    let configuration: Builder.Configuration
    let clock: any Clock<Duration>
    let directories: [FilePath]
    let output: OutputMeter

    private enum Event: Sendable {
        case ended(Result<BuildResult, BuildError>)
        case hit(BuildError)
        case nothing
    }

    func enforce(
        _ build: @escaping @Sendable () async -> Result<BuildResult, BuildError>
    ) async throws(BuildError) -> BuildResult {
        let result = await withTaskGroup(of: Event.self) { group -> Result<BuildResult, BuildError> in
            group.addTask { .ended(await build()) }
            group.addTask { await self.time() }
            group.addTask { await self.printed() }
            group.addTask { await self.disk() }
            var hit: BuildError?
            while let event = await group.next() {
                switch event {
                case .nothing: continue
                case .hit(let error):
                    hit = hit ?? error
                    group.cancelAll()
                case .ended(let result):
                    group.cancelAll()
                    // The build ended as cancelled because of the limit, which is what there is to say about it.
                    if let hit, case .failure(let error) = result {
                        return .failure(
                            BuildError(
                                hit.code, hit.message, buildpack: error.buildpack, command: error.command,
                                tail: error.tail))
                    }
                    return result
                }
            }
            return .failure(hit ?? BuildError(.cancelled, "The build was cancelled."))
        }
        let built = try result.get()
        // A build that is quicker than the measuring must not get through with any size.
        if case .hit(let error) = await self.measure() { throw error }
        return built
    }

    private func time() async -> Event {
        do {
            try await self.clock.sleep(for: self.configuration.buildTimeout)
        } catch { return .nothing }
        return .hit(
            BuildError(
                .timedOut,
                "The build did not end within \(self.configuration.buildTimeout), the time limit for builds."))
    }

    private func printed() async -> Event {
        for await _ in self.output.tripped {
            return .hit(
                BuildError(
                    .outputLimit,
                    "The build printed more than \(self.configuration.outputLimit) bytes, the limit for its output."))
        }
        return .nothing
    }

    private func disk() async -> Event {
        while true {
            do {
                try await self.clock.sleep(for: self.configuration.diskCheckInterval)
            } catch { return .nothing }
            if case .hit(let error) = await self.measure() { return .hit(error) }
        }
    }

    private func measure() async -> Event {
        var total: Int64 = 0
        for directory in self.directories {
            total += (try? await DirectoryWalk.diskUsage(of: directory)) ?? 0
        }
        guard total > self.configuration.diskLimit else { return .nothing }
        return .hit(
            BuildError(
                .diskLimit,
                "Source and build cache occupy \(total) bytes, more than the \(self.configuration.diskLimit) allowed."))
    }
}
