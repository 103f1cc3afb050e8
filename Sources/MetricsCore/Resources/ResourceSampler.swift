/// Tells what running instances use.
///
/// ## Promises a conformer keeps
/// - It counts the process and everything that descends from it.
/// - Processes that end while it looks are no error; only that `pid` itself is gone is.
/// - It blocks for a few milliseconds at most; callers need no thread of their own for it.
public protocol ResourceSampler: Sendable {
    /// What the process and its descendants use now.
    ///
    /// - Throws: ``MetricsError`` with the code `processNotFound` when there is no such process, `procfs` when the
    ///   system does not tell.
    func sample(_ pid: Int32) throws(MetricsError) -> ResourceUsage

    /// What each of several processes and its descendants use now; those that are gone are left out.
    ///
    /// - Throws: ``MetricsError`` with the code `procfs` when the system does not tell.
    func sample(all pids: some Collection<Int32>) throws(MetricsError) -> [Int32: ResourceUsage]
}

extension ResourceSampler {
    /// Samples one after the other.
    public func sample(all pids: some Collection<Int32>) throws(MetricsError) -> [Int32: ResourceUsage] {
        var result: [Int32: ResourceUsage] = [:]
        for pid in pids {
            do throws(MetricsError) {
                result[pid] = try self.sample(pid)
            } catch  where error.code == .processNotFound {
                continue
            }
        }
        return result
    }
}
