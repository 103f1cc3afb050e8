// swift-tools-version: 6.2
import PackageDescription

// One small program per library, each importing that library alone: what a user of one block pays.
let libraries = [
    "BuildpackKit", "SlugStore", "ProcessSupervisor", "RouterCore", "MetricsCore", "GitReceiver", "PlatformKit",
]

let package = Package(
    name: "embedding",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "slipway", path: "../.."),
        // The currency types of the libraries' own interfaces.
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    ],
    targets: libraries.map { library in
        .executableTarget(
            name: "\(library)Only",
            dependencies: [
                .product(name: library, package: "slipway"), .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ])
    }
)
