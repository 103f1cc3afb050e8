import Logging
import NIOCore
import NIOPosix
import Synchronization

@testable import RouterCore

/// A router's worker with simulated clients and instances: everything that happens follows from a seed.
final class World {
    struct Instance {
        var name: String
        var listens = true
        var isBlackHole = false
    }

    let weather: Weather
    let marks = WriteMarks(high: 4096, low: 2048)
    private(set) var random: LoopRandom
    private(set) var stories: [Story] = []
    private(set) var complaints: [String] = []
    private(set) var lines: [String] = []
    private(set) var crossings = 0

    private let isLogging: Bool
    private var participants: [any Participant] = []
    private var streams: [SimulatedStream] = []
    private var cables = 0
    private var loop: SimulatedLoop!
    private var worker: Worker!
    private var router: Router!
    private var instances: [Int: Instance] = [:]
    private var retired: [Int] = []
    private var lastPort = 1000
    private var clients: [any SimulatedClient] = []
    private var sessions: [WeakSession] = []
    private var deployments = 0

    private struct WeakSession { weak var session: AnyObject? }

    init(seed: UInt64, isLogging: Bool) {
        self.random = LoopRandom(seed: seed)
        self.isLogging = isLogging
        self.weather = Weather(&self.random)
    }

    // MARK: Chance

    func chance(_ percent: Int) -> Bool { Int(self.random.next() % 100) < percent }
    func pick(_ range: Range<Int>) -> Int { range.lowerBound + Int(self.random.next() % UInt64(range.count)) }
    func pick<T>(_ values: [T]) -> T { values[self.pick(0..<values.count)] }

    /// How many of so many bytes come in one piece: often all, sometimes few.
    func pieceSize(_ available: Int) -> Int {
        guard available > 1 else { return available }
        switch self.pick(0..<4) {
        case 0: return 1 + self.pick(0..<min(available, 8))
        case 1: return 1 + self.pick(0..<available)
        default: return min(available, 4096)
        }
    }

    /// Whether this happens to what is going on, in a world where it may.
    func strikes(_ fault: Fault, percent: Int = 25) -> Bool {
        self.weather.faults.contains(fault) && self.chance(percent)
    }

    // MARK: Records

    func log(_ line: @autoclosure () -> String) {
        if self.isLogging { self.lines.append(line()) }
    }

    func complain(_ text: String) {
        self.log("!!! \(text)")
        self.complaints.append(text)
    }

    func newStory(method: String, bodyLength: Int, isReplayable: Bool) -> Story {
        let story = Story(
            number: self.stories.count + 1, method: method, bodyLength: bodyLength, isReplayable: isReplayable)
        self.stories.append(story)
        return story
    }

    func story(_ number: Int) -> Story? { self.stories.indices.contains(number - 1) ? self.stories[number - 1] : nil }

    /// What a peer closed without having read it.
    func crossed() { self.crossings += 1 }

    func routerWrites(_ bytes: ByteBuffer, _ cable: Cable) {
        self.log("cable \(cable.id): the router writes \(bytes.readableBytes) bytes: \(Self.excerpt(bytes))")
    }

    static func excerpt(_ bytes: ByteBuffer) -> String {
        String(decoding: bytes.readableBytesView.prefix(60).map { (32..<127).contains($0) ? $0 : 46 }, as: UTF8.self)
    }

    // MARK: Making it

    func add(_ participant: any Participant) { self.participants.append(participant) }

    private func begin() throws {
        var configuration = Router.Configuration(host: "127.0.0.1", port: 0)
        configuration.writeBufferBytes = self.marks.high
        configuration.readBufferBytes = 4096
        configuration.replayBytes = 4096
        configuration.backlogBytes = 4096
        configuration.maxInFlightPerBackend = self.weather.places
        configuration.headTimeout = .seconds(1)
        configuration.bodyIdleTimeout = .seconds(1)
        configuration.keepAliveTimeout = .seconds(2)
        configuration.clientStallTimeout = .seconds(1)
        configuration.lingerTimeout = .seconds(1)
        configuration.poolIdle = .milliseconds(500)
        var logger = Logger(label: "simulation")
        logger.logLevel = .critical
        self.router = Router(configuration: configuration, logger: logger)
        self.loop = SimulatedLoop(self)
        self.worker = Worker(
            loop: self.loop, configuration: configuration, census: ConnectionCensus(configuration),
            routes: RouteIndex(), challenges: nil, wake: { _ in }, observer: nil,
            blocking: NIOThreadPool(numberOfThreads: 1), logger: logger, seed: self.random.next())
        let handle = WorkerHandle(self.worker, self.loop.executor)
        self.worker.handle = handle
        self.router.state.withLock { $0.attach([handle]) }
        self.add(self.loop)
        try self.deploy()
        while self.loop.isRunnable { self.loop.run() }
        for _ in 0..<self.weather.clients { self.newClient(asking: self.weather.requests) }
    }

    func newClient(asking count: Int) {
        let cable = self.newCable()
        let stream = SimulatedStream(cable, self)
        self.add(stream)
        self.streams.append(stream)
        self.worker.serve(
            stream, client: ClientAddress("203.0.113.7") ?? .unknown,
            ListenerFacts(Router.Listener(host: "127.0.0.1", port: 80), port: 80))
        let client: any SimulatedClient =
            self.weather.clientsSpeak == .http1
            ? SimulatedHTTP1Client(cable, self, asking: count) : SimulatedHTTP2Client(cable, self, asking: count)
        self.clients.append(client)
        self.add(client)
    }

    private func newCable() -> Cable {
        self.cables += 1
        return Cable(id: self.cables, capacity: self.weather.capacity)
    }

    // MARK: Instances

    /// New instances take the place of the old ones, which go once nothing is in flight to them.
    private func deploy() throws {
        self.retired += self.instances.keys.filter { !self.retired.contains($0) }
        let backends = (0..<self.weather.instances).map { _ in
            self.lastPort += 1
            self.instances[self.lastPort] = Instance(name: "web.\(self.lastPort)")
            return Backend(id: BackendID("web.\(self.lastPort)"), address: .ip(host: "127.0.0.1", port: self.lastPort))
        }
        self.log("deployment of \(backends.map(\.id))")
        var route = ApplicationRoute(application: "app", hosts: ["a"], backends: backends)
        route.instanceProtocol = self.weather.instancesSpeak == .http1 ? .http1 : .http2
        route.timeouts.connect = .seconds(1)
        route.timeouts.firstByte = .seconds(1)
        route.timeouts.betweenBytes = .seconds(1)
        route.timeouts.queue = .seconds(20)
        try self.router.setRoute(route)
        let gone = Set(self.retired.map { BackendID("web.\($0)") })
        guard !gone.isEmpty else { return }
        self.worker.handle?.execute { $0.closeIdle(gone) }
    }

    /// Stops old instances that have nothing to do any more, as after a drain.
    private func stopRetired() {
        guard !self.retired.isEmpty, !self.loop.isRunnable else { return }
        self.retired.removeAll { port in
            let id = BackendID("web.\(port)")
            let isIdle = self.router.state.withLock { $0.instances([id]) }.allSatisfy { $0.inFlight == 0 }
            guard isIdle else { return false }
            self.log("\(id) stops")
            self.instances[port] = nil
            for case let peer as any SimulatedInstance in self.participants where peer.name == id.rawValue {
                peer.stop()
            }
            return true
        }
    }

    func isBlackHole(_ instance: RouterCore.Instance) -> Bool {
        self.instances[instance.socketAddress?.port ?? 0]?.isBlackHole ?? false
    }

    /// The router's end of a new connection to an instance; nil when it takes none.
    func accept(_ instance: RouterCore.Instance) -> SimulatedStream? {
        guard let known = self.instances[instance.socketAddress?.port ?? 0], known.listens,
            !self.strikes(.refusesConnections)
        else {
            self.log("\(instance.id) refuses a connection")
            return nil
        }
        let cable = self.newCable()
        self.log("cable \(cable.id): connected to \(instance.id)")
        let stream = SimulatedStream(cable, self)
        let peer: any SimulatedInstance =
            self.weather.instancesSpeak == .http1
            ? SimulatedHTTP1Instance(cable, self, name: known.name)
            : SimulatedHTTP2Instance(cable, self, name: known.name)
        self.streams.append(stream)
        self.add(stream)
        self.add(peer)
        return stream
    }

    // MARK: Running it

    /// Lets everything happen until nothing more can, and complains about what must not be.
    func run() throws {
        try self.begin()
        var steps = 0
        while steps < 200_000 {
            steps += 1
            if self.weather.faults.contains(.clockJumps), self.chance(2) { self.tick() }
            if self.deployments < 5, self.strikes(.deployments, percent: 2) {
                self.deployments += 1
                try self.deploy()
            }
            self.stopRetired()
            if self.runOne() { continue }
            if !self.loop.soon.isEmpty {
                self.loop.doSoon()
            } else if self.clients.allSatisfy(\.isOver) {
                break
            } else if self.weather.needsTime, steps < 190_000 {
                self.tick()
            } else {
                self.complain("nothing can happen, and not all clients are content")
                break
            }
        }
        if steps >= 200_000 { self.complain("no end after \(steps) steps") }
        self.settle()
        self.judge()
    }

    private func runOne() -> Bool {
        // The first one that can, from any one on.
        let count = self.participants.count
        let start = self.pick(0..<count)
        for offset in 0..<count {
            let index = start + offset < count ? start + offset : start + offset - count
            let participant = self.participants[index]
            guard participant.isRunnable else { continue }
            participant.run()
            if participant.isOver, let last = self.participants.popLast(), index < self.participants.count {
                self.participants[index] = last
            }
            return true
        }
        return false
    }

    private func tick() {
        self.loop.time += 250_000_000
        self.log("the clock: \(self.loop.time / 1_000_000)")
        self.worker.tick()
    }

    /// Lets the time pass after which nothing may be left.
    private func settle() {
        self.sessions = self.streams.compactMap(\.handler).map { WeakSession(session: $0) }
        for _ in 0..<40 {
            self.tick()
            var steps = 0
            while steps < 10_000, self.runOne() { steps += 1 }
            if !self.loop.soon.isEmpty { self.loop.doSoon() }
        }
    }

    private func judge() {
        let open = self.streams.filter { !$0.isOver }
        if !open.isEmpty { self.complain("still open: cables \(open.map(\.cable.id))") }
        if self.worker.clients.count > 0 { self.complain("\(self.worker.clients.count) clients are left") }
        if self.router.inFlight(application: "app") != 0 {
            self.complain("in flight: \(self.router.inFlight(application: "app"))")
        }
        for instance in self.router.state.withLock({
            $0.routes.values.flatMap(\.members).map(\.instance) + $0.retired.map(\.instance)
        })
        where instance.inFlight != 0 || instance.load != 0 {
            self.complain("in flight to \(instance.id): \(instance.inFlight), \(instance.load)")
        }
        let sessions = self.sessions.count { $0.session != nil }
        if sessions > 0 { self.complain("\(sessions) handlers of streams are still alive") }
        if let most = self.streams.map(\.mostBuffered).max(), most > 65_536 { self.complain("\(most) bytes were held") }
        for story in self.stories {
            if let complaint = story.complaint(self.weather, crossings: self.crossings) {
                self.complain("request \(story.number) \(story.method) \(complaint)")
            }
        }
    }
}

/// A client of a simulated world.
protocol SimulatedClient: Participant {}

/// One connection of an instance of a simulated world.
protocol SimulatedInstance: Participant {
    var name: String { get }
    /// The instance ends.
    func stop()
}
