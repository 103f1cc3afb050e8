import CRouterIO

/// How many descriptors the process may have: files and connections. Systems give a process few of them (1,024) and let it
/// have more when it asks.
public enum DescriptorLimit {
    /// The limit as it is; `Int.max` for none.
    public static var current: Int { Self.read(0) }

    /// Raises the limit, as far as the system lets the process do that itself, and never lowers it.
    ///
    /// It holds for the whole process and for those that it starts: a program calls it when it begins; the router does not.
    ///
    /// - Parameter wanted: how many descriptors are needed. For a router, two for each of
    ///   ``Router/Configuration/maxConnections``, and some.
    /// - Returns: the limit as it is then.
    @discardableResult
    public static func raise(to wanted: Int) -> Int { Self.read(wanted) }

    private static func read(_ wanted: Int) -> Int {
        let limit = slipway_io_descriptor_limit(Int64(wanted))
        return limit < 0 ? .max : Int(clamping: limit)
    }
}
