/// One loop's counts: nobody else sees them until somebody asks, so that counting takes no lock and no atomic.
struct TrafficCounters {
    private final class Counter {
        let instance: Instance
        let application: String
        var traffic = Traffic()

        init(_ instance: Instance, _ application: String) {
            self.instance = instance
            self.application = application
        }
    }

    /// By the instance's slot.
    private var instances: [Counter?] = []
    private var others: [String: Traffic] = [:]

    @inline(__always)
    mutating func record(
        _ ending: ExchangeEnding, _ timing: RequestTiming, application: ApplicationState?, instance: Instance?,
        now: UInt64
    ) {
        if let instance, let application {
            self.counter(instance, application).traffic.record(ending, timing, now: now)
        } else {
            self.others[application?.name ?? "", default: Traffic()].record(ending, timing, now: now)
        }
    }

    mutating func recordEjection(of instance: Instance, application: ApplicationState) {
        self.counter(instance, application).traffic.ejections += 1
    }

    @inline(__always)
    private mutating func counter(_ instance: Instance, _ application: ApplicationState) -> Counter {
        if instance.slot < self.instances.count, let known = self.instances[instance.slot],
            known.instance === instance
        {
            return known
        }
        return self.makeCounter(instance, application)
    }

    @inline(never)
    private mutating func makeCounter(_ instance: Instance, _ application: ApplicationState) -> Counter {
        while self.instances.count <= instance.slot { self.instances.append(nil) }
        self.retire(instance.slot)
        let counter = Counter(instance, application.name)
        self.instances[instance.slot] = counter
        return counter
    }

    private mutating func retire(_ slot: Int) {
        guard let counter = self.instances[slot] else { return }
        self.instances[slot] = nil
        self.others[counter.application, default: Traffic()].add(counter.traffic)
    }

    /// Adds what instances have counted that are gone to what is counted without one.
    mutating func retireGone() {
        for slot in self.instances.indices {
            if let counter = self.instances[slot], counter.instance.isRetired, counter.instance.inFlight == 0 {
                self.retire(slot)
            }
        }
    }

    /// What has been counted, by application.
    var snapshot: [String: ApplicationTraffic] {
        var all: [String: ApplicationTraffic] = [:]
        for (name, traffic) in self.others {
            all[name, default: ApplicationTraffic(application: name)].others.add(traffic)
        }
        for case let counter? in self.instances {
            all[counter.application, default: ApplicationTraffic(application: counter.application)]
                .instances[counter.instance.id, default: Traffic()].add(counter.traffic)
        }
        return all
    }
}
