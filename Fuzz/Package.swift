// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that users of the libraries never build it. `Machines` links to the router's pure sources:
// they are compiled into the fuzzer with what tells it which branches an input takes, and nothing else of the router is.
let package = Package(
    name: "fuzz",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    ],
    targets: [
        .executableTarget(
            name: "Fuzz",
            dependencies: [
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: [
                .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("MemberImportVisibility"),
                .enableUpcomingFeature("InternalImportsByDefault"),
                .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
                // The fuzzer brings the main function.
                .unsafeFlags(["-parse-as-library"]),
            ])
    ]
)
