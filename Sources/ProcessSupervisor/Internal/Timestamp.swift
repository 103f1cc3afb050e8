#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The calendar's time, for statuses, events and lines. Nothing is decided by it.
struct Timestamp: Sendable {
    var date: Date
    static var now: Timestamp { Timestamp(date: Date()) }
}
