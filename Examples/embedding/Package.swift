// swift-tools-version: 6.2
import PackageDescription

// One small program per library, each importing that library alone: what a user of one block pays.
let libraries = [
    "BuildpackKit", "SlugStore", "ProcessSupervisor", "RouterCore", "MetricsCore", "GitReceiver", "PlatformKit",
]

let package = Package(
    name: "embedding",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "slipway", path: "../..")],
    targets: libraries.map { library in
        .executableTarget(name: "\(library)Only", dependencies: [.product(name: library, package: "slipway")])
    }
)
