public import SystemPackage

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

extension GitServer {
    /// How a server behaves. Every default is safe for the public internet on a small machine.
    public struct Configuration: Sendable {
        /// The directory that holds the repositories, each `NAME.git`. It is created when the first one is, and belongs to
        /// the server: a lock file found in it at start is a dead process's and is removed.
        public var root: FilePath
        /// What a client may make the server do.
        public var limits = Limits()
        /// The silence after which a client that waits gets an empty packet, so that proxies do not time out and a
        /// client that has gone is noticed. Default: 5 seconds.
        public var keepAliveInterval: Duration = .seconds(5)
        /// How long a push waits for the one before it. Default: 30 minutes.
        public var pushWait: Duration = .seconds(1800)
        /// The branch that HEAD names in a new repository. Default: `main`.
        public var defaultBranch = "main"
        /// Whether files with the attribute `export-ignore` (in `.gitattributes`) are left out of exports, as
        /// `git archive` does. Default: true.
        public var honoursExportIgnore = true
        /// How the server names itself to clients. Default: `slipway`.
        public var agent = "slipway"
        /// The threads for blocking work: pushes, fetches and exports that compute at the same time. Default: 4.
        public var threads = 4
        /// When and how repositories are tidied up.
        public var maintenance = Maintenance()
        /// The clock of deadlines, waits and keep-alives.
        public var clock: any Clock<Duration> = ContinuousClock()
        /// The time of day, which says how old unreachable objects are.
        public var now: @Sendable () -> Date = { Date() }

        /// A configuration with the defaults.
        public init(root: FilePath) { self.root = root }

        /// When and how repositories are tidied up: see ``GitServer/maintain(_:)``.
        public struct Maintenance: Sendable, Hashable {
            /// The packs, of which every push brings one, that make a repository due for maintenance in the background
            /// (``GitServer/runMaintenance()``). Packs of what nothing reaches, which wait for their end, do not count.
            /// Default: 40.
            public var packs = 40
            /// How long objects that no reference reaches any more are kept, from when maintenance first finds them. Zero
            /// removes them at once. Default: 14 days.
            public var grace: Duration = .seconds(14 * 86_400)
            /// The time one maintenance may take for reading and writing. Default: 30 minutes.
            public var time: Duration = .seconds(1800)
            /// How long it waits until nobody reads the packs that were replaced. Default: 1 minute.
            public var patience: Duration = .seconds(60)
            /// How many deltas on deltas a pack may have that maintenance makes; what would be deeper is packed whole.
            /// Never more than ``GitServer/Configuration/Limits-swift.struct/deltaDepth``. Default: 50, as git's.
            public var deltaDepth = 50
            /// The objects of a repository that is maintained; each costs about 200 bytes of memory meanwhile. Default:
            /// 5 million.
            public var objects = 5_000_000
            /// The repositories that wait for maintenance in the background. Default: 10,000.
            public var waiting = 10_000

            /// The defaults.
            public init() {}
        }

        /// What a client may make the server do. A push that hits a limit is refused in words.
        public struct Limits: Sendable, Hashable {
            /// The size of a pack as sent. Default: 1 GiB.
            public var packBytes = 1 << 30
            /// The size of one object that is received. Checking and exporting hold one object in memory. Default: 256 MiB.
            public var objectBytes = 256 << 20
            /// The size of all objects of a pack, unpacked. Default: 16 GiB.
            public var totalObjectBytes = 16 << 30
            /// The objects in one pack. Default: 2 million.
            public var objects = 2_000_000
            /// The objects of all packs that are being received, each of which costs about 200 bytes of memory until its pack is
            /// indexed. The first 65,536 of a pack do not count. A push for which too few are left is refused, to be tried again.
            /// No less than ``objects``. Default: 4 million.
            public var receivedObjects = 4_000_000
            /// How many deltas one object that is received may take to be made: git makes 50, and 4,095 at most. Default: 4,095.
            public var deltaDepth = 4095
            /// How deep directories may nest. Default: 128.
            public var treeDepth = 128
            /// The entries of one directory. Default: 200,000.
            public var treeEntries = 200_000
            /// The computing time for a pack's deltas and index. Default: 2 minutes.
            public var indexingTime: Duration = .seconds(120)
            /// The computing time for the check of a pack's objects. Default: 2 minutes.
            public var checkingTime: Duration = .seconds(120)
            /// How much of a refused push is read on, so that the client gets to see why. Default: 256 MiB.
            public var discardBytes = 256 << 20
            /// The references one push may update. Default: 10,000.
            public var commands = 10_000
            /// The push options of one push. Default: 64.
            public var pushOptions = 64
            /// The bytes of all push options of one push. Default: 4096.
            public var pushOptionBytes = 4096
            /// The references of one repository. Default: 20,000.
            public var references = 20_000
            /// The size of a request other than the pack of a push, unpacked. Default: 8 MiB.
            public var requestBytes = 8 << 20
            /// The size of one fetched pack. Default: 4 GiB.
            public var fetchBytes = 4 << 30
            /// The objects that are looked at for one fetch; each costs about 200 bytes of memory meanwhile. Default: 5
            /// million.
            public var fetchObjects = 5_000_000
            /// The computing time for finding out what one fetch has to send, and once more that for packing objects anew where
            /// they cannot be copied. Default: 2 minutes.
            public var fetchTime: Duration = .seconds(120)
            /// The packs that are open for clients at the same time. A fetch for which too few are left is spooled to disk.
            /// Default: 512.
            public var fetchFiles = 512
            /// The objects of all packs that are being sent while they are made, each of which costs about 80 bytes of memory
            /// until its client has everything. A fetch for which too few are left is spooled to disk. Default: 4 million.
            public var fetchPlannedObjects = 4_000_000
            /// The bytes a second that a client has to take on average, once it has been waited for as long as
            /// ``stallTime``; one that is slower loses its place. Default: 8,192.
            public var fetchRate = 8192
            /// The bytes a second that a client has to send on average, in a push and in the request of a fetch, once it has
            /// been waited for as long as ``stallTime``; one that is slower loses its place. Default: 8,192.
            public var pushRate = 8192
            /// The bytes one export writes. Default: 2 GiB.
            public var checkoutBytes = 2 << 30
            /// The files, links and directories one export makes. Default: 300,000.
            public var checkoutEntries = 300_000
            /// The pushes that wait for one repository. Default: 8.
            public var waitingPushes = 8
            /// The fetches that are answered at the same time, from the request to the last byte. Default: 64.
            public var fetches = 64
            /// The fetches that wait for a place; who comes after them is sent away. Default: 1,000.
            public var waitingFetches = 1000
            /// The packs of pushes that are received at the same time. Each takes memory for ``deltaCacheBytes``, a few objects, and
            /// what ``receivedObjects`` says. Default: 8.
            public var pushes = 8
            /// The pushes that wait for a place before their pack is read. Default: 64.
            public var waitingPacks = 64
            /// How long fetches and pushes wait for a place. Default: 2 minutes.
            public var placeWait: Duration = .seconds(120)
            /// How long a client may not take what is sent to it before its place is given to another. Default: 2
            /// minutes.
            public var stallTime: Duration = .seconds(120)
            /// The memory for objects on which deltas of a pack probably build. Default: 32 MiB.
            public var deltaCacheBytes = 32 << 20
            /// The blocking calls that wait for a thread. Default: 4096.
            public var queuedCalls = 4096

            /// The defaults.
            public init() {}
        }
    }
}
