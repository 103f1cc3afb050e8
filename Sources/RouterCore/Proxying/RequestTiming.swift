/// When the steps of a request happened, in nanoseconds of the loop's clock; 0 for not yet.
struct RequestTiming {
    var start: UInt64 = 0
    /// Time spent in the queue, and since when it is in it.
    var queued: UInt64 = 0
    var queuedSince: UInt64 = 0
    var connecting: UInt64 = 0
    var connectingSince: UInt64 = 0
    var sent: UInt64 = 0
    var firstByte: UInt64 = 0
}
