import PlatformAPI
import PlatformKit
import ProcessSupervisor
import RouterCore
import ServiceLifecycle
import SystemPackage

/// The life of a host, one event after the other.
struct HostRun {
    private struct Running {
        var generation: Generation
        var front: Task<Void, any Error>
        var back: Task<Void, any Error>
    }

    private let host: Host
    private var data: DataDirectory
    private let parts: HostParts
    private var groups: ControlGroups
    /// Found out by the first generation, and kept.
    private var confinement: Confinement?
    private let feed: AsyncStream<Host.Event>.Continuation
    private let base: ServiceGroup
    private var number = 0
    private var adminSocket: CInt?

    init(
        host: Host, data: DataDirectory, parts: HostParts, groups: ControlGroups,
        feed: AsyncStream<Host.Event>.Continuation
    ) {
        self.host = host
        self.data = data
        self.parts = parts
        self.groups = groups
        self.feed = feed
        self.base = parts.services(logger: host.logger)
        self.adminSocket = host.predecessor.map { _ in Predecessor.adminDescriptor }
    }

    consuming func run(_ events: AsyncStream<Host.Event>) async throws {
        let base = self.start(self.base, 0)
        var running = try await self.startGeneration()
        var control: Task<Void, Never>?
        var failure: (any Error)?
        var isHandedOver = false
        // Before it serves, a successor has nothing of its own: another host takes up what it has taken.
        var isGuest = self.host.predecessor != nil
        loop: for await event in events {
            switch event {
            case .ready(let addresses):
                self.host.predecessor?.tookOver()
                isGuest = false
                self.confinement?.remember(self.host.logger)
                self.host.onReady(addresses)
                control = ControlSocket(data: self.data, feed: self.feed, logger: self.host.logger).start()
            case .stop:
                break loop
            case .ended(let generation, let error) where generation == self.number || generation == 0:
                failure = error
                break loop
            case .ended:
                continue
            case .upgrade(let request):
                isHandedOver = try await self.upgrade(&running, request)
                if isHandedOver { break loop }
            }
        }
        self.number = -1
        if !isHandedOver {
            // First no more deployments, then no more requests, then the instances.
            await running.generation.front.triggerGracefulShutdown()
            let front = await running.front.result
            await self.base.triggerGracefulShutdown()
            let router = await base.result
            if isGuest { running.generation.supervisor.leaveRunning() }
            await running.generation.back.triggerGracefulShutdown()
            let back = await running.back.result
            control?.cancel()
            if !isGuest { self.groups.remove() }
            if let failure { throw failure }
            for result in [front, router, back] { try result.get() }
            return
        }
        // What this router has accepted, it answers, unless it is told to end at once.
        let impatience = Task {
            for await event in events {
                if case .stop = event { return base.cancel() }
            }
        }
        let router = await base.result
        impatience.cancel()
        control?.cancel()
        if !base.isCancelled { try router.get() }
    }

    private func start(_ group: ServiceGroup, _ number: Int) -> Task<Void, any Error> {
        let feed = self.feed
        return Task {
            do {
                try await group.run()
                feed.yield(.ended(generation: number, nil))
            } catch {
                feed.yield(.ended(generation: number, error))
                throw error
            }
        }
    }

    private mutating func startGeneration() async throws -> Running {
        let isFirst = self.number == 0
        self.number += 1
        let (host, parts, data, feed) = (self.host, self.parts, self.data, self.feed)
        let confinement: Confinement
        if let kept = self.confinement {
            confinement = kept
        } else {
            confinement = try await Confinement(
                host.settings, data: data, executable: Generation.executable, takesOver: host.predecessor != nil,
                logger: host.logger)
        }
        self.confinement = confinement
        if confinement.promisesAtOnce { confinement.remember(self.host.logger) }
        let generation = try await Generation(
            parts, settings: host.settings, data: data, confinement: confinement, groups: self.groups,
            adminSocket: self.adminSocket,
            announcement: { api, platform in
                Announcement(
                    domain: host.settings.domain, tokenPath: data.adminTokenPath, router: parts.router, api: api,
                    platform: platform, takesOver: host.predecessor != nil,
                    onAccepting: host.settings.endIfWanted(at: "accepting"),
                    onReady: { if isFirst { feed.yield(.ready($0)) } })
            }, logger: host.logger)
        return Running(
            generation: generation, front: self.start(generation.front, self.number),
            back: self.start(generation.back, self.number))
    }

    /// Hands over to a new host. Returns whether it serves now; if not, this one goes on, and has said why.
    private mutating func upgrade(_ running: inout Running, _ request: UpgradeRequest) async throws -> Bool {
        let underWay = running.generation.platform.underWay
        guard request.isForced || underWay.isEmpty else {
            await request.end("error: \(underWay.joined(separator: ", ")) would be broken off; wait, or add --force")
            return false
        }
        let successor: Successor
        do {
            let socket = try await running.generation.api.listeningSocket()
            if let former = self.adminSocket { HostLine(former).close() }
            self.adminSocket = socket
            successor = try Successor(
                program: request.program, arguments: self.host.arguments + [Serve.successorFlag], adminSocket: socket)
        } catch {
            await request.end("error: \(error); nothing has changed")
            return false
        }
        guard await successor.line.hear(within: 30) == "prepared" else {
            let end = await successor.end()
            await request.end("error: \(request.program) does not start: \(end); nothing has changed")
            return false
        }
        request.say("\(request.program) runs with pid \(successor.pid); handing over")

        // From here to its word that it serves, the router of this host goes on with the routes that it has.
        self.number += 1
        await running.generation.front.triggerGracefulShutdown()
        _ = await running.front.result
        running.generation.supervisor.leaveRunning()
        await running.generation.back.triggerGracefulShutdown()
        _ = await running.back.result
        self.data.unlock()
        successor.line.say("go")
        if await successor.line.hear(within: Int(self.host.settings.upgradeTimeout.components.seconds)) == "serving" {
            await request.end("done: pid \(successor.pid) serves; this host ends when its last requests have")
            return true
        }
        let end = await successor.end()
        // What it was just starting when it ended may still have the lock, for the moment until it executes.
        self.data = try DataDirectory(path: self.host.settings.data, waits: true)
        if self.parts.router.isHandedOver {
            // It ended with the sockets, and this router does not listen again: nobody serves until another host does.
            await request.end("error: the new host had taken over when it ended: \(end); this one begins anew")
            try Successor.beginAnew(arguments: self.host.arguments)
        }
        self.groups = try ControlGroups.open(named: self.data.controlGroup)
        running = try await self.startGeneration()
        await request.end("error: the new host did not come up: \(end); this one goes on")
        return false
    }
}
