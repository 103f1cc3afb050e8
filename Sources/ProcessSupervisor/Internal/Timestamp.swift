#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The calendar's time, for statuses, events and lines. Nothing is decided by it, but how old a
/// process is that a former host started.
struct Timestamp: Sendable {
    var date: Date
    static var now: Timestamp { Timestamp(date: Date()) }
    /// The time since; nothing when the calendar was set back.
    var age: Duration { .seconds(max(0, Date().timeIntervalSince(self.date))) }
}
