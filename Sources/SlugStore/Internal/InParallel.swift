/// Runs `body` for each element, `limit` at a time, until all are done or one has failed; then the others are cancelled and
/// waited for. Throws the first failure.
package func inParallel<Element: Sendable>(
    _ elements: [Element], limit: Int, _ body: @escaping @Sendable (Element) async throws(SlugStoreError) -> Void
) async throws(SlugStoreError) {
    // One at a time stays in its task: nothing is handed over, and tests that decide about order see one task.
    if limit <= 1 || elements.count <= 1 {
        for element in elements { try await body(element) }
        return
    }
    let failure = await withTaskGroup(of: SlugStoreError?.self) { group in
        var rest = elements[...]
        func start() {
            guard let next = rest.popFirst() else { return }
            group.addTask {
                do throws(SlugStoreError) {
                    try await body(next)
                    return nil
                } catch {
                    return error
                }
            }
        }
        for _ in 0..<min(limit, elements.count) { start() }
        var failure: SlugStoreError?
        while let outcome = await group.next() {
            if let outcome, failure == nil {
                failure = outcome
                group.cancelAll()
            }
            if failure == nil { start() }
        }
        return failure
    }
    if let failure { throw failure }
}
