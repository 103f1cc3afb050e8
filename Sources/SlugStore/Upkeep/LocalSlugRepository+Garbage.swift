extension LocalSlugRepository {
    /// Frees what no slug needs: chunks, and trees that lost their slug. Packs that are mostly garbage are written anew.
    public func collectGarbage() async throws(SlugStoreError) -> GarbageReport {
        try await self.withRepository(.exclusive) { directory, cancellation throws(SlugStoreError) in
            let report = try GarbageCollection(
                directory: directory, index: self.index, compressionLevel: self.configuration.compressionLevel,
                logger: self.logger, cancellation: cancellation
            ).run()
            // Packs went and came, and a chunk that was in two of them may be found in another now.
            self.forgetPacks()
            try self.refreshIndex(directory)
            return report
        }
    }
}
