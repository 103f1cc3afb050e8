public import SystemPackage

extension LogHub {
    /// What the hub keeps, and how much of it.
    public struct Configuration: Sendable {
        /// The lines of each application that are kept in memory and found by ``LogHub/recent(_:limit:filter:)``. 1,500.
        public var linesPerApplication = 1_500
        /// The bytes of text of each application in memory; more long lines mean fewer lines. 2 MiB.
        public var bytesPerApplication = 2 << 20
        /// The longest line; longer ones are split. 10,000 bytes.
        public var lineBytes = 10_000
        /// Where segments are written; `nil` keeps the logs in memory only.
        public var directory: FilePath?
        /// The size at which a segment is closed. 1 MiB.
        public var segmentBytes = 1 << 20
        /// The bytes of segments that each application has on disk, give or take a segment. 4 MiB.
        public var diskBytesPerApplication = 4 << 20
        /// The bytes of each application that wait for the disk; more are not written, and the file says so. 4 MiB.
        public var pendingBytes = 4 << 20
        /// How often lines are written to disk. 200 ms.
        public var flushInterval: Duration = .milliseconds(200)
        /// How long ``LogHub/store(_:)`` waits for the disk. 20 ms.
        public var storeTimeout: Duration = .milliseconds(20)
        /// The most applications with a log; entries of further ones are dropped and counted. 10,000.
        public var maxApplications = 10_000
        /// The lines that wait for one slow reader before the oldest are dropped. 1,000.
        public var tailLines = 1_000
        /// The most readers of one application at a time; further ones are told so. 256.
        public var tailsPerApplication = 256

        /// The defaults: memory only.
        public init() {}
    }
}

extension LogHub.Configuration {
    func validate() throws(MetricsError) {
        let limits: [(String, Int, Int)] = [
            ("linesPerApplication", self.linesPerApplication, 1), ("bytesPerApplication", self.bytesPerApplication, 1),
            ("lineBytes", self.lineBytes, 64), ("segmentBytes", self.segmentBytes, 1),
            ("diskBytesPerApplication", self.diskBytesPerApplication, 1), ("pendingBytes", self.pendingBytes, 1),
            ("maxApplications", self.maxApplications, 1), ("tailLines", self.tailLines, 1),
            ("tailsPerApplication", self.tailsPerApplication, 1),
        ]
        for (name, value, least) in limits where value < least {
            throw MetricsError(
                .invalidConfiguration, "LogHub.Configuration.\(name) is \(value); it must be at least \(least).")
        }
        guard self.flushInterval > .zero else {
            throw MetricsError(.invalidConfiguration, "LogHub.Configuration.flushInterval must be positive.")
        }
        guard self.storeTimeout >= .zero else {
            throw MetricsError(.invalidConfiguration, "LogHub.Configuration.storeTimeout must not be negative.")
        }
    }
}
