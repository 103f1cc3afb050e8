import Foundation

/// Memory of connections that were upgraded and say nothing.
struct WebSocketScenario {
    let stand: RouterStand

    func run() throws -> [Row] {
        // A proxy has two files for each, and some of its own.
        let count = min(10_000, (Machine.openFiles - 200) / 2)
        let starts: [(Setup) throws -> Proxy?] = [
            { setup in
                var setup = setup
                // As many instances as their limits of 100 connections each make necessary.
                setup.instances = (count + 99) / 100
                return try self.stand.startSlipway(setup)
            },
            { try self.stand.start(.nginx, $0) }, { try self.stand.start(.haproxy, $0) },
        ]
        var names = [String?](repeating: nil, count: starts.count)
        var values = [[Double]](repeating: [], count: starts.count)
        for _ in 0..<min(3, self.stand.options.rounds ?? 3) {
            for (index, start) in starts.enumerated() {
                let sockets = try IdleWebSockets()
                var setup = self.stand.setup
                setup.origin = sockets.port
                setup.variant = .upgrades
                guard let proxy = try start(setup) else {
                    sockets.close()
                    continue
                }
                let before = proxy.memory
                try sockets.open(count, host: RouterStand.host, port: proxy.ports.clear)
                // What it does once it has nothing else to do.
                usleep(1_500_000)
                values[index].append((proxy.memory - before) / Double(count) / 1_024)
                names[index] = proxy.name
                // Proxies wait for those who are connected.
                sockets.close()
                try self.stand.end([proxy])
            }
        }
        return (1..<starts.count).compactMap { index in
            guard let name = names[index] else { return nil }
            return Row(
                what: "memory per WebSocket, \(count) idle", unit: "KiB", slipway: values[0], peer: name,
                peerValues: values[index])
        }
    }
}
