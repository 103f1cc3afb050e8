/// Two threads on two cores beside one on one.
struct ThreadScenario {
    let stand: RouterStand

    func run() throws -> [Row] {
        let machine = self.stand.machine
        guard machine.cores.count > 1 else { throw Failure("this needs two cores") }
        var setup = self.stand.setup
        var one = try self.stand.startSlipway(setup)
        one.name = "one thread"
        // With two cores alone, one of them is also the load's and the origin's.
        let areShared = machine.cores.count < 3
        setup.threads = 2
        setup.pinning = machine.pinning(to: machine.cores.count - 1, machine.cores.count - 2)
        let two = try self.stand.startSlipway(setup)
        let measured = try self.stand.costs([
            Comparison(
                what: "CPU per request, two threads", load: .keepAlive("/13B"), own: two, peers: [one],
                notes: areShared ? ["a core is shared with load and origin"] : [])
        ])
        try self.stand.end([one, two])
        var throughput = measured[0].0
        throughput.what = "requests per second, two threads"
        throughput.notes = areShared ? ["says nothing with two cores: the load needs one of them"] : []
        return self.stand.rows(measured[0].0, measured[0].1) { $0.microsecondsPerRequest }
            + self.stand.rows(throughput, measured[0].1, unit: "/s") { $0.requests / $0.wall }
    }
}
