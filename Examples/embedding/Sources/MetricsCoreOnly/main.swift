import MetricsCore

let registry = MetricsRegistry()
registry.describe("jobs", help: "Jobs done.")
registry.counter("jobs").increment()
print(registry.prometheusText())
