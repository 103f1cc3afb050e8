/// Keeps to a number of bytes a second, by a pause after each part.
struct Pace: Sendable {
    let limit: Int64?

    init(limit: Int64?) { self.limit = limit.map { max($0, 1) } }

    /// Waits for as long as reading so many bytes should have taken.
    func wait(after bytes: Int64, _ clock: any Clock<Duration>) async throws(SlugStoreError) {
        guard let limit, bytes > 0 else { return }
        do { try await clock.sleep(for: .seconds(Double(bytes) / Double(limit))) } catch { throw .cancelled }
    }
}
