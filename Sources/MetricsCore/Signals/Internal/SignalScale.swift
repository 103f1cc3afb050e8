/// The recorder's configuration in the units that it counts in.
struct SignalScale: Sendable {
    /// Nanoseconds of a fine bucket.
    var bucket: Int64
    /// Fine buckets that are kept as such.
    var fineBuckets: Int64
    var finePerCoarse: Int64
    /// Fine buckets that the whole history is long.
    var retainedBuckets: Int64
    var staleAfter: Int64
    var maxErrorCodes: Int
    var maxProcesses: Int
}
