/// Whether an instance is healthy, as its probes say: a change of mind takes several in a row.
///
/// ```
///   up ── `fall` failures in a row ──▶ down
///   up ◀── `rise` passes in a row ─── down
/// ```
struct ProbeMachine: Equatable {
    private(set) var isHealthy: Bool
    /// How many in a row have said the opposite.
    private var against = 0

    init(isHealthy: Bool) { self.isHealthy = isHealthy }

    /// Takes notice of a probe; true when the instance's health has changed.
    mutating func note(passed: Bool, rise: Int, fall: Int) -> Bool {
        guard passed != self.isHealthy else {
            self.against = 0
            return false
        }
        self.against += 1
        guard self.against >= (passed ? rise : fall) else { return false }
        self.isHealthy = passed
        self.against = 0
        return true
    }
}
