// swift-tools-version: 6.2
import Foundation
import PackageDescription

/// One list for every target: the language mode is Swift 6 (from the tools version), and these features
/// are what the next one will turn on.
let settings: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),  // SE-0335
        .enableUpcomingFeature("MemberImportVisibility"),  // SE-0444
        .enableUpcomingFeature("InternalImportsByDefault"),  // SE-0409
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),  // SE-0461
    ] + (strict ? [.treatAllWarnings(as: .error)] : [])

/// Warnings are errors where the project is developed (`make test` and CI set this), never for its users.
var strict: Bool { Context.environment["SLIPWAY_STRICT"] != nil }
/// The documentation plugin is resolved only for `make docs`, so that users of the libraries do not fetch it.
var documentation: Bool { Context.environment["SLIPWAY_DOCS"] != nil }

extension Target.Dependency {
    static let argumentParser = product(name: "ArgumentParser", package: "swift-argument-parser")
    static let asyncHTTPClient = product(name: "AsyncHTTPClient", package: "async-http-client")
    static let collections = product(name: "DequeModule", package: "swift-collections")
    static let crypto = product(name: "Crypto", package: "swift-crypto")
    static let grdb = product(name: "GRDB", package: "GRDB.swift")
    static let httpTypes = product(name: "HTTPTypes", package: "swift-http-types")
    static let hummingbird = product(name: "Hummingbird", package: "hummingbird")
    static let hummingbirdCore = product(name: "HummingbirdCore", package: "hummingbird")
    static let logging = product(name: "Logging", package: "swift-log")
    static let metrics = product(name: "CoreMetrics", package: "swift-metrics")
    static let nioCore = product(name: "NIOCore", package: "swift-nio")
    static let nioExtras = product(name: "NIOExtras", package: "swift-nio-extras")
    static let nioHTTP1 = product(name: "NIOHTTP1", package: "swift-nio")
    static let nioHTTPTypes = product(name: "NIOHTTPTypes", package: "swift-nio-extras")
    static let nioHTTPTypesHTTP1 = product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras")
    static let nioPosix = product(name: "NIOPosix", package: "swift-nio")
    static let nioSSL = product(name: "NIOSSL", package: "swift-nio-ssl")
    static let nioTLS = product(name: "NIOTLS", package: "swift-nio")
    static let nioWebSocket = product(name: "NIOWebSocket", package: "swift-nio")
    static let serviceLifecycle = product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
    static let unixSignals = product(name: "UnixSignals", package: "swift-service-lifecycle")
    static let swiftASN1 = product(name: "SwiftASN1", package: "swift-asn1")
    static let subprocess = product(name: "Subprocess", package: "swift-subprocess")
    static let system = product(name: "SystemPackage", package: "swift-system")
    static let toml = product(name: "TOMLKit", package: "TOMLKit")
    static let x509 = product(name: "X509", package: "swift-certificates")
    static let yams = product(name: "Yams", package: "Yams")
}

let blocks: [Target] = [
    // Source tree -> built application.
    .target(
        name: "BuildpackKit",
        dependencies: [.logging, .subprocess, .system, .toml, .yams],
        swiftSettings: settings),
    // Built application <-> stored slug.
    .systemLibrary(
        name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"]), .brew(["libarchive"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"]), .brew(["zstd"])]),
    .target(name: "CSlugStoreIO"),
    .target(
        name: "SlugStore",
        dependencies: ["CArchive", "CSlugStoreIO", "CZlib", "CZstd", .crypto, .logging, .system],
        swiftSettings: settings),
    // … in a bucket or a registry that hosts share.
    .target(
        name: "SlugStoreRemotes",
        dependencies: ["SlugStore", .asyncHTTPClient, .crypto, .nioCore, .nioHTTP1, .system],
        swiftSettings: settings),
    // Slug + config -> running instances.
    .target(name: "CProcessLauncher"),
    .target(
        name: "ProcessSupervisor",
        dependencies: ["CProcessLauncher", .collections, .logging, .serviceLifecycle, .system],
        swiftSettings: settings),
    // Request -> healthy instance.
    .target(name: "CRouterIO"),
    .target(
        name: "RouterCore",
        dependencies: [
            "CRouterIO", .collections, .logging, .nioCore, .nioPosix, .nioSSL, .nioTLS, .serviceLifecycle, .system,
        ],
        swiftSettings: settings),
    // Certificates for its hosts, from an ACME authority.
    .target(
        name: "RouterACME",
        dependencies: [
            "RouterCore", .asyncHTTPClient, .crypto, .logging, .nioCore, .nioHTTP1, .nioSSL, .serviceLifecycle,
            .swiftASN1, .system, .x509,
        ],
        swiftSettings: settings),
    // Events -> signals, logs, objectives.
    .target(
        name: "MetricsCore",
        dependencies: [.collections, .logging, .metrics, .system],
        swiftSettings: settings),
    // Git push and fetch over HTTP.
    .systemLibrary(name: "CLibgit2", pkgConfig: "libgit2", providers: [.apt(["libgit2-dev"]), .brew(["libgit2"])]),
    .target(name: "CPackChecksum"),
    .target(
        name: "GitReceiver",
        dependencies: ["CLibgit2", "CPackChecksum", "CZlib", .logging, .system],
        swiftSettings: settings),
]

let platform: [Target] = [
    // The values that the API, its client and the control plane share.
    .target(name: "PlatformWire", swiftSettings: settings),
    // The control plane.
    .target(
        name: "PlatformKit",
        dependencies: [
            "BuildpackKit", "GitReceiver", "MetricsCore", "PlatformWire", "ProcessSupervisor", "RouterCore",
            "SlugStore", .crypto, .grdb, .logging, .metrics, .serviceLifecycle, .system,
        ],
        swiftSettings: settings),
    // Its faces: HTTP API, git endpoint and dashboard; and the client of that API.
    .target(
        name: "PlatformAPI",
        dependencies: [
            "GitReceiver", "MetricsCore", "PlatformKit", "PlatformWire", "SlugStore", .httpTypes, .hummingbird,
            .hummingbirdCore, .logging, .nioCore, .nioExtras, .nioHTTP1, .nioHTTPTypes, .nioHTTPTypesHTTP1, .nioPosix,
            .nioWebSocket,
            .serviceLifecycle, .system, .unixSignals,
        ],
        swiftSettings: settings),
    .target(
        name: "PlatformClient",
        dependencies: [
            "PlatformWire", .asyncHTTPClient, .nioCore, .nioHTTP1, .nioPosix, .nioSSL, .nioWebSocket, .system,
        ],
        swiftSettings: settings),
]

let examples: [Target] = [
    .executableTarget(
        name: "slipway",
        dependencies: [
            "BuildpackKit", "GitReceiver", "MetricsCore", "PlatformAPI", "PlatformClient", "PlatformKit",
            "PlatformWire",
            "ProcessSupervisor", "RouterACME", "RouterCore", "SlugStore", "SlugStoreRemotes", .argumentParser,
            .asyncHTTPClient, .logging, .nioCore, .nioPosix,
            .serviceLifecycle, .subprocess, .system, .toml, .unixSignals,
        ],
        path: "Examples/slipway",
        swiftSettings: settings),
    // One small program per way of using the package.
    .executableTarget(
        name: "custom-buildpack",
        dependencies: ["BuildpackKit", .logging, .system],
        path: "Examples/custom-buildpack",
        swiftSettings: settings),
    .executableTarget(
        name: "slug-tool",
        dependencies: ["SlugStore", "SlugStoreRemotes", .asyncHTTPClient, .logging, .nioCore, .system, .unixSignals],
        path: "Examples/slug-tool",
        swiftSettings: settings),
    .executableTarget(
        name: "procfile-runner",
        dependencies: ["ProcessSupervisor", .argumentParser, .logging, .system, .unixSignals],
        path: "Examples/procfile-runner",
        swiftSettings: settings),
    .executableTarget(
        name: "router-example",
        dependencies: ["RouterCore", .argumentParser, .logging, .serviceLifecycle, .system, .unixSignals],
        path: "Examples/router",
        swiftSettings: settings),
    // What the benchmarks cannot do from outside.
    .executableTarget(
        name: "route-changes",
        dependencies: ["RouterCore", .logging],
        path: "Benchmarks/Programs/route-changes",
        swiftSettings: settings),
    .executableTarget(
        name: "git-intake",
        dependencies: ["GitReceiver", .logging, .system],
        path: "Benchmarks/Programs/git-intake",
        swiftSettings: settings),
    .executableTarget(
        name: "supervise",
        dependencies: ["ProcessSupervisor", .logging, .system],
        path: "Benchmarks/Programs/supervise",
        swiftSettings: settings),
    .executableTarget(
        name: "metrics-example",
        dependencies: ["MetricsCore", .logging, .metrics],
        path: "Examples/metrics",
        swiftSettings: settings),
]

let testing: [Target] = [
    // Public fakes and conformance suites, one target per library.
    .target(name: "BuildpackKitTesting", dependencies: ["BuildpackKit", .system], swiftSettings: settings),
    .target(name: "SlugStoreTesting", dependencies: ["SlugStore", .system], swiftSettings: settings),
    .target(name: "ProcessSupervisorTesting", dependencies: ["ProcessSupervisor", .system], swiftSettings: settings),
    .target(
        name: "RouterCoreTesting", dependencies: ["RouterCore", .nioCore, .nioPosix], swiftSettings: settings),
    .target(name: "PlatformKitTesting", dependencies: ["PlatformKit", "PlatformWire"], swiftSettings: settings),
    // What every test target needs and no user does: a clock that tests move, temporary directories, authorities.
    .target(
        name: "TestSupport", dependencies: [.crypto, .subprocess, .swiftASN1, .system, .x509],
        path: "Tests/TestSupport", swiftSettings: settings),
    .testTarget(
        name: "BuildpackKitTests",
        dependencies: ["BuildpackKit", "BuildpackKitTesting", "TestSupport", .logging, .system],
        swiftSettings: settings),
    .testTarget(
        name: "SlugStoreTests",
        dependencies: ["CSlugStoreIO", "SlugStore", "SlugStoreTesting", "TestSupport", .logging, .system],
        exclude: ["Reader"],
        swiftSettings: settings),
    .testTarget(
        name: "SlugStoreRemotesTests",
        dependencies: [
            "SlugStore", "SlugStoreRemotes", "SlugStoreTesting", "TestSupport", .asyncHTTPClient, .logging, .nioCore,
            .nioHTTP1, .nioPosix, .subprocess, .system,
        ],
        swiftSettings: settings),
    .testTarget(
        name: "ProcessSupervisorTests",
        dependencies: [
            "CProcessLauncher", "procfile-runner", "ProcessSupervisor", "ProcessSupervisorTesting", "TestSupport",
            .logging,
            .serviceLifecycle, .system,
        ],
        swiftSettings: settings),
    .testTarget(
        name: "RouterCoreTests",
        dependencies: [
            "router-example", "RouterCore", "RouterCoreTesting", "TestSupport", .crypto, .logging, .nioCore, .nioPosix,
            .nioSSL, .nioTLS,
            .serviceLifecycle, .subprocess, .swiftASN1, .system, .unixSignals, .x509,
        ],
        resources: [.copy("Conformance/Cases")],
        swiftSettings: settings),
    .testTarget(
        name: "RouterACMETests",
        dependencies: [
            "RouterACME", "RouterCore", "TestSupport", .asyncHTTPClient, .crypto, .logging, .nioCore, .nioHTTP1,
            .nioPosix, .nioSSL, .serviceLifecycle, .subprocess, .swiftASN1, .system, .x509,
        ],
        swiftSettings: settings),
    .testTarget(
        name: "MetricsCoreTests",
        dependencies: ["MetricsCore", "TestSupport", .logging, .metrics, .system],
        swiftSettings: settings),
    .testTarget(
        name: "GitReceiverTests",
        dependencies: ["CPackChecksum", "GitReceiver", "TestSupport", .logging, .system],
        swiftSettings: settings),
    .testTarget(
        name: "EndToEndTests",
        dependencies: [
            "PlatformKitTesting", "PlatformWire", "RouterACME", "RouterCore", "slipway", "SlugStore",
            "SlugStoreRemotes",
            "TestSupport", .argumentParser, .asyncHTTPClient, .crypto, .logging, .nioCore,
            .nioHTTP1, .subprocess, .system, .unixSignals,
        ],
        swiftSettings: settings),
    .testTarget(
        name: "PlatformAPITests",
        dependencies: [
            "GitReceiver", "PlatformAPI", "PlatformClient", "PlatformKit", "PlatformWire", "SlugStore", "TestSupport",
            .asyncHTTPClient,
            .httpTypes, .hummingbird, .logging, .nioCore, .nioHTTP1, .nioPosix, .system,
        ],
        swiftSettings: settings),
    .testTarget(
        name: "PlatformKitTests",
        dependencies: [
            "BuildpackKit", "BuildpackKitTesting", "GitReceiver", "MetricsCore", "PlatformKit", "PlatformKitTesting",
            "PlatformWire", "ProcessSupervisor", "RouterCore", "SlugStore", "TestSupport", .grdb, .logging,
            .serviceLifecycle, .system,
        ],
        swiftSettings: settings),
]

let package = Package(
    name: "slipway",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "BuildpackKit", targets: ["BuildpackKit"]),
        .library(name: "BuildpackKitTesting", targets: ["BuildpackKitTesting"]),
        .library(name: "SlugStore", targets: ["SlugStore"]),
        .library(name: "SlugStoreRemotes", targets: ["SlugStoreRemotes"]),
        .library(name: "SlugStoreTesting", targets: ["SlugStoreTesting"]),
        .library(name: "ProcessSupervisor", targets: ["ProcessSupervisor"]),
        .library(name: "ProcessSupervisorTesting", targets: ["ProcessSupervisorTesting"]),
        .library(name: "RouterCore", targets: ["RouterCore"]),
        .library(name: "RouterCoreTesting", targets: ["RouterCoreTesting"]),
        .library(name: "RouterACME", targets: ["RouterACME"]),
        .library(name: "MetricsCore", targets: ["MetricsCore"]),
        .library(name: "GitReceiver", targets: ["GitReceiver"]),
        .library(name: "PlatformKit", targets: ["PlatformKit"]),
        .library(name: "PlatformKitTesting", targets: ["PlatformKitTesting"]),
        .library(name: "PlatformAPI", targets: ["PlatformAPI"]),
        .library(name: "PlatformClient", targets: ["PlatformClient"]),
        .executable(name: "slipway", targets: ["slipway"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
    ] + (documentation ? [.package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0")] : []),
    targets: blocks + platform + examples + testing
)
