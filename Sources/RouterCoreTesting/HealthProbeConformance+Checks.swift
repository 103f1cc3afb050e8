import RouterCore

extension HealthProbeConformance.Check {
    /// All promises.
    public static let all: [Self] = [
        Self("it can be used") { suite in
            do {
                try suite.probe.validate()
            } catch {
                throw HealthProbeConformance.Violation("validate() threw: \(error)")
            }
        },
        Self("an instance that can serve passes, again and again") { suite in
            for attempt in 1...3 {
                let report = try await suite.check(suite.instance)
                try suite.require(report.isPassed, "probe \(attempt) of an instance that can serve found: \(report)")
            }
        },
        Self("where nobody listens, it fails, says why, and remembers nothing") { suite in
            let gone = try await withInstance(.closes) { $0.backend }
            let report = try await suite.check(gone)
            try suite.require(!report.isPassed, "it passed where nobody listens")
            try suite.require(report.reason?.isEmpty == false, "it says nothing about why it failed")
            let after = try await suite.check(suite.instance)
            try suite.require(
                after.isPassed, "an instance that can serve did not pass after another had failed: \(after)")
        },
        Self("it asks once") { suite in
            try await withInstance(.closes) { instance in
                _ = try await suite.check(instance.backend)
                let count = instance.connections
                try suite.require(count <= 1, "it connected \(count) times to an instance that closes connections")
            }
        },
        Self("it ends soon when it is cancelled, though the instance is silent") { suite in
            try await withInstance(.isSilent) { try await suite.cancel(at: $0) }
        },
        Self("it ends soon when it is cancelled, though the instance does not stop sending") { suite in
            try await withInstance(.floods) { try await suite.cancel(at: $0) }
        },
    ]
}

extension HealthProbeConformance {
    func require(_ condition: Bool, _ message: @autoclosure () -> String) throws(Violation) {
        if !condition { throw Violation(message()) }
    }

    /// One probe.
    func check(_ backend: Backend) async throws(Violation) -> HealthReport {
        guard let report = await self.first({ await self.probe.check(backend) }) else {
            throw Violation("it had found nothing at \(backend.address) after \(self.patience)")
        }
        return report
    }

    /// Cancels a probe that is under way. Some find what they look for before that.
    func cancel(at instance: UnhelpfulInstance) async throws(Violation) {
        let task = Task { await self.probe.check(instance.backend) }
        await self.first {
            await withTaskGroup { group in
                group.addTask { await instance.waitForConnection() }
                group.addTask { _ = await task.value }
                await group.next()
                group.cancelAll()
                task.cancel()
            }
        }
        task.cancel()
        let report = await self.first { await task.value }
        try self.require(report != nil, "it had not ended \(self.patience) after it was cancelled")
    }

    /// What the work returns, or nil when that takes too long. It is not waited for any further then.
    @discardableResult
    private func first<R: Sendable>(_ work: @escaping @Sendable () async -> R) async -> R? {
        let (results, sink) = AsyncStream.makeStream(of: R?.self)
        let working = Task { sink.yield(await work()) }
        let limit = Task {
            try? await Task.sleep(for: self.patience)
            sink.yield(nil)
        }
        defer {
            working.cancel()
            limit.cancel()
        }
        for await result in results { return result }
        return nil
    }
}
