extension Platform {
    func reading<R: Sendable>(
        _ body: @escaping @Sendable (any PlatformRecordsReading) throws -> R
    ) async throws(PlatformError) -> R {
        do { return try await self.store.read(body) } catch { throw Self.wrap(error) }
    }

    func writing<R: Sendable>(
        _ body: @escaping @Sendable (any PlatformRecordsWriting) throws -> R
    ) async throws(PlatformError) -> R {
        do { return try await self.store.write(body) } catch { throw Self.wrap(error) }
    }

    private static func wrap(_ error: any Error) -> PlatformError {
        switch error {
        case let error as PlatformError: error
        case is CancellationError: PlatformError(.cancelled, "the request was cancelled")
        default: PlatformError(.internalError, "the platform's state cannot be used: \(error)", cause: error)
        }
    }

    /// Records who did what. Never give it a secret.
    func audit(
        _ action: String, _ application: ApplicationRecord?, _ detail: String, by principal: Principal
    ) async throws(PlatformError) {
        let entry = AuditRecord(
            at: self.now(), actor: principal.name, action: action, application: application?.name, detail: detail)
        let keeping = self.configuration.auditEntries
        try await self.writing { try $0.append(entry, keeping: keeping) }
    }
}
