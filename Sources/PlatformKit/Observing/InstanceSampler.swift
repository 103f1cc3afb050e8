internal import CoreMetrics
internal import MetricsCore
internal import Synchronization

/// Measures instances now and then: memory and processor time of their process trees, restarts, readiness.
struct InstanceSampler: Sendable {
    let runtime: any WorkloadRuntime
    let sampler: any ResourceSampler
    let signals: SignalRecorder
    let registry: MetricsRegistry

    func sample(applicationID: String, name: String, wanted: Int) {
        let instances = self.runtime.instances(of: applicationID)
        for instance in instances {
            guard let pid = instance.pid, let usage = try? self.sampler.sample(pid) else { continue }
            self.signals.recordResources(
                application: applicationID, process: instance.name, usage: usage, memoryLimit: nil)
            let dimensions = [("app", name), ("process", instance.name)]
            self.gauge("slipway_instance_memory_bytes", dimensions, Double(usage.residentBytes))
            self.gauge("slipway_instance_cpu_seconds", dimensions, usage.cpuSeconds)
            self.gauge("slipway_instance_restarts", dimensions, Double(instance.restarts))
        }
        let ready = instances.count { $0.phase == .ready }
        self.signals.recordInstances(
            application: applicationID, ready: ready, wanted: wanted, restarts: instances.reduce(0) { $0 + $1.restarts }
        )
        self.gauge("slipway_instances_ready", [("app", name)], Double(ready))
        self.gauge("slipway_instances_wanted", [("app", name)], Double(wanted))
    }

    private func gauge(_ label: String, _ dimensions: [(String, String)], _ value: Double) {
        CoreMetrics.Gauge(label: label, dimensions: dimensions, factory: self.registry).record(value)
    }

    static func describe(in registry: MetricsRegistry) {
        registry.describe("slipway_instance_memory_bytes", help: "Resident memory of an instance's process tree.")
        registry.describe("slipway_instance_cpu_seconds", help: "Processor time of an instance's process tree.")
        registry.describe("slipway_instance_restarts", help: "How often an instance was started again.")
        registry.describe("slipway_instances_ready", help: "Instances of an application that are ready.")
        registry.describe("slipway_instances_wanted", help: "Instances of an application that are wanted.")
    }
}
