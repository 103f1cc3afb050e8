import ArgumentParser
import Foundation
import Logging
import PlatformWire
import ProcessSupervisor
import RouterACME
import RouterCore
import SlugStore
import SlugStoreRemotes
import SystemPackage
import TOMLKit

/// What the host runs with: command line over environment over file over default.
struct ServeSettings {
    struct Address {
        var host: String
        var port: Int

        init(_ text: String, option: String) throws {
            guard case .ip(let host, let port)? = BackendAddress(text) else {
                throw ValidationError("--\(option) takes HOST:PORT, such as 127.0.0.1:8080; \(text) is none")
            }
            self.host = host
            self.port = port
        }
    }

    /// Who issues certificates, and to whom.
    struct ACME {
        var directory: String
        var email: String?
        /// As PEM; `nil` for the authorities that this machine trusts.
        var trustRoots: [UInt8]?
    }

    /// Where slugs are for all hosts.
    struct Slugs {
        var address: RemoteAddress
        var credentials: RemoteAddress.Credentials?
        /// What this machine keeps of them; `nil`: all that it ever had.
        var cacheBytes: Int64?
    }

    var data: FilePath
    /// `nil`: on this machine alone.
    var slugs: Slugs?
    var http: Address
    var https: Address?
    /// The networks of proxies in front of the host.
    var trustedProxies: [AddressRange]
    var acme: ACME
    /// A path, or `-` for standard output.
    var accessLog: String?
    var accessLogShare: Double
    var startHold: Duration
    var admin: Address
    var domain: String
    var instancePorts: ClosedRange<Int>
    var stopGrace: Duration
    var bootTimeout: Duration
    var buildTimeout: Duration
    var buildpacks: [FilePath]
    /// Nil: the strongest that works.
    var isolation: Isolation.Level?
    var ociRuntime: String
    var network: SandboxPolicy.Network
    var retention: RetentionPolicy
    var signsSlugs: Bool
    /// Whose signatures count besides the host's own.
    var trustedSlugKeys: [Data]
    /// Nil: never.
    var slugCheckInterval: Duration?
    var shown: [FilePath]
    var applicationUsers: ApplicationUsers
    /// Whose toolchains are on the search path.
    var home: FilePath?
    var leaveRunning: Bool
    var logLevel: Logger.Level
    var sizes: [InstanceSize]
    var defaultSize: String
    var maxOneOffs: Int
    var oneOffTimeout: Duration
    var upgradeTimeout: Duration
    var killAt: String?
    var searchPath: String

    init(options: ServeOptions, environment: [String: String] = ProcessInfo.processInfo.environment) throws {
        let lookup = try Lookup(file: options.config ?? environment["SLIPWAY_CONFIG"], environment: environment)
        let current = FileManager.default.currentDirectoryPath
        let data = try lookup.text(options.data, "data") ?? "slipway-data"
        self.data = FilePath(current).pushing(FilePath(data)).lexicallyNormalized()
        self.slugs = try Self.slugs(options, lookup)
        self.http = try Address(lookup.text(options.http, "http") ?? "127.0.0.1:8080", option: "http")
        self.https = try lookup.text(options.https, "https").map { try Address($0, option: "https") }
        self.trustedProxies = try Self.networks(lookup.text(options.trustedProxies, "trusted-proxies") ?? "")
        self.acme = try Self.acme(options, lookup)
        let accessLog = try lookup.text(options.accessLog, "access-log")
        self.accessLog = accessLog
        let share = try lookup.share(options.accessLogShare, "access-log-share")
        guard share == nil || accessLog != nil else {
            throw ValidationError("--access-log-share says how much of --access-log is written, which is not given")
        }
        self.accessLogShare = share ?? 1
        self.startHold = try .seconds(lookup.number(options.startHold, "start-hold") ?? 30)
        self.admin = try Address(lookup.text(options.admin, "admin") ?? "127.0.0.1:8081", option: "admin")
        self.domain = try lookup.text(options.domain, "domain") ?? "localhost"
        let ports = try lookup.text(options.instancePorts, "instance-ports") ?? "20000-29999"
        let bounds = ports.split(separator: "-").compactMap { Int($0) }
        guard bounds.count == 2, 1...65_535 ~= bounds[0], bounds[0]...65_535 ~= bounds[1] else {
            throw ValidationError("--instance-ports takes FIRST-LAST, such as 20000-29999; \(ports) is none")
        }
        self.instancePorts = bounds[0]...bounds[1]
        self.stopGrace = try .seconds(lookup.number(options.stopGrace, "stop-grace") ?? 30)
        self.bootTimeout = try .seconds(lookup.number(options.bootTimeout, "boot-timeout") ?? 60)
        self.buildTimeout = try .seconds(lookup.number(options.buildTimeout, "build-timeout") ?? 900)
        let buildpacks = try options.buildpack.isEmpty ? lookup.list("buildpack") : options.buildpack
        self.buildpacks = buildpacks.map { FilePath(current).pushing(FilePath($0)).lexicallyNormalized() }
        self.isolation = try Self.isolation(lookup.text(options.isolation, "isolation") ?? "strongest")
        self.ociRuntime = try lookup.text(options.ociRuntime, "oci-runtime") ?? "runc"
        self.network = try Self.network(
            lookup.text(options.network, "network") ?? "shared", lookup.text(options.networkRange, "network-range"))
        self.retention = RetentionPolicy(
            // Of a store that hosts share, nobody knows here what the others need.
            keepLast: try lookup.number(options.keepReleases, "keep-releases") ?? (self.slugs == nil ? 20 : nil),
            maxAge: try lookup.number(options.keepDays, "keep-days").map { Double($0) * 86_400 },
            maxBytes: try lookup.number(options.keepMegabytes, "keep-megabytes").map { Int64($0) * 1_000_000 })
        self.signsSlugs = try options.signSlugs || lookup.text(nil, "sign-slugs") == "true"
        self.trustedSlugKeys = try (options.trustSlugs.isEmpty ? lookup.list("trust-slugs") : options.trustSlugs).map {
            guard let key = Data(base64Encoded: $0), key.count == 32 else {
                throw ValidationError("--trust-slugs takes a key as another host's log has it; not \($0)")
            }
            return key
        }
        guard self.signsSlugs || self.trustedSlugKeys.isEmpty else {
            throw ValidationError(
                "--trust-slugs says whose slugs count besides this host's own, and takes --sign-slugs")
        }
        let days = try lookup.number(options.checkSlugs, "check-slugs") ?? 7
        self.slugCheckInterval = days == 0 ? nil : .seconds(days * 86_400)
        let shown = try options.show.isEmpty ? lookup.list("show") : options.show
        self.shown = shown.map { FilePath(current).pushing(FilePath($0)).lexicallyNormalized() }
        self.applicationUsers = try ApplicationUsers(lookup.text(options.applicationUsers, "application-users"))
        self.home = environment["HOME"].map { FilePath($0) }
        self.leaveRunning = try options.leaveRunning || lookup.text(nil, "leave-running") == "true"
        let level = try lookup.text(options.logLevel, "log-level") ?? "notice"
        guard let logLevel = Logger.Level(rawValue: level) else {
            throw ValidationError("--log-level takes trace, debug, info, notice, warning or error; not \(level)")
        }
        self.logLevel = logLevel
        let sizes = try lookup.sizes()
        let defaultSize = try lookup.text(options.defaultSize, "default-size") ?? InstanceSize.unlimited.name
        guard sizes.contains(where: { $0.name == defaultSize }) else {
            throw ValidationError(
                "--default-size takes the name of a size, of: \(sizes.map(\.name).joined(separator: ", ")); not \(defaultSize)"
            )
        }
        self.sizes = sizes
        self.defaultSize = defaultSize
        self.maxOneOffs = try lookup.number(options.maxOneOffs, "max-one-offs") ?? 10
        self.oneOffTimeout = try .seconds(lookup.number(options.oneOffTimeout, "one-off-timeout") ?? 86_400)
        self.upgradeTimeout = try .seconds(lookup.number(options.upgradeTimeout, "upgrade-timeout") ?? 120)
        self.killAt = options.killAt
        self.searchPath = environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
    }

    private static func isolation(_ text: String) throws -> Isolation.Level? {
        if text == "strongest" { return nil }
        guard let level = Isolation.Level(rawValue: text) else {
            throw ValidationError("--isolation takes sandbox, oci, host or strongest; not \(text)")
        }
        return level
    }

    private static func slugs(_ options: ServeOptions, _ lookup: Lookup) throws -> Slugs? {
        let megabytes = try lookup.number(options.slugCacheMegabytes, "slug-cache-megabytes")
        guard let text = try lookup.text(options.slugs, "slugs") else {
            guard megabytes == nil else {
                throw ValidationError(
                    "--slug-cache-megabytes says how much of --slugs is kept on this machine, which is not given")
            }
            return nil
        }
        let cacheBytes = megabytes.map { Int64($0) * 1_000_000 }
        let address: RemoteAddress
        do {
            address = try RemoteAddress(text)
        } catch {
            throw ValidationError("--slugs: \(error.message)")
        }
        // Not on the command line, which everybody on the machine can read.
        guard let user = try lookup.text(nil, "slugs-user") else {
            return Slugs(address: address, cacheBytes: cacheBytes)
        }
        guard let password = try lookup.text(nil, "slugs-password") else {
            throw ValidationError("slugs-user is given, and slugs-password is not")
        }
        return Slugs(
            address: address,
            credentials: .init(
                user: user, password: password, sessionToken: try lookup.text(nil, "slugs-session-token")),
            cacheBytes: cacheBytes)
    }

    private static func network(_ text: String, _ range: String?) throws -> SandboxPolicy.Network {
        var network = InstanceNetwork(forwards: text == "forwarded")
        if let range { network.range = range }
        guard network.hostAddress != nil else {
            throw ValidationError(
                "--network-range takes a range such as 10.213.0.0/16, of 8 to 29 bits; not \(network.range)")
        }
        switch text {
        case "shared": return .shared
        case "own", "forwarded": return .own(network)
        default: throw ValidationError("--network takes shared, own or forwarded; not \(text)")
        }
    }

    private static func networks(_ text: String) throws -> [AddressRange] {
        try text.split(separator: ",").map { part in
            do {
                return try AddressRange(part.trimmingCharacters(in: .whitespaces))
            } catch {
                throw ValidationError("--trusted-proxies takes networks, such as 127.0.0.1,10.0.0.0/8: \(error)")
            }
        }
    }

    private static func acme(_ options: ServeOptions, _ lookup: Lookup) throws -> ACME {
        let directory =
            try lookup.text(options.acmeDirectory, "acme-directory") ?? ACMEManager.Configuration.Authority.letsEncrypt
        guard directory.lowercased().hasPrefix("https://") else {
            throw ValidationError("--acme-directory takes an https URL; \(directory) is none")
        }
        let email = try lookup.text(options.acmeEmail, "acme-email")
        if let email, email.split(separator: "@").count != 2 || email.contains(where: \.isWhitespace) {
            throw ValidationError("--acme-email takes an address, such as admin@example.com; \(email) is none")
        }
        var roots: [UInt8]?
        if let file = try lookup.text(options.acmeCa, "acme-ca") {
            do {
                roots = try SmallFile.read(file)
            } catch {
                throw ValidationError("--acme-ca: cannot read \(file): \(error)")
            }
        }
        return ACME(directory: directory, email: email, trustRoots: roots)
    }
}

/// Finds an option's value in the three places.
private struct Lookup {
    let table: TOMLTable?
    let environment: [String: String]

    init(file: String?, environment: [String: String]) throws {
        self.environment = environment
        guard let file else {
            self.table = nil
            return
        }
        do {
            self.table = try TOMLTable(string: String(contentsOfFile: file, encoding: .utf8))
        } catch {
            throw ValidationError("cannot read the options in \(file): \(error)")
        }
    }

    func text(_ option: String?, _ name: String) throws -> String? {
        if let option { return option }
        let variable = "SLIPWAY_" + name.uppercased().replacingOccurrences(of: "-", with: "_")
        if let value = self.environment[variable], !value.isEmpty { return value }
        guard let value = self.table?[name] else { return nil }
        if let text = value.string { return text }
        if let number = value.int { return "\(number)" }
        if let number = value.double { return "\(number)" }
        if let flag = value.bool { return "\(flag)" }
        throw ValidationError("`\(name)` in the options file is neither text nor a number")
    }

    func number(_ option: Int?, _ name: String) throws -> Int? {
        if let option { return option }
        guard let text = try self.text(nil, name) else { return nil }
        guard let number = Int(text), number >= 0 else { throw ValidationError("\(name) takes a number, not \(text)") }
        return number
    }

    /// Those that there are anyway, and those of the tables `[sizes.NAME]` of the file, which come in their place.
    func sizes() throws -> [InstanceSize] {
        guard let table = self.table?["sizes"]?.table else { return InstanceSize.standard }
        var sizes = InstanceSize.standard
        for name in table.keys.sorted() {
            guard let values = table[name]?.table else {
                throw ValidationError("sizes.\(name) in the options file is no table")
            }
            let known = ["memory-mb", "cpu-share", "cpus", "processes", "open-files", "disk-mb"]
            if let other = values.keys.first(where: { !known.contains($0) }) {
                throw ValidationError(
                    "sizes.\(name).\(other) in the options file is none of \(known.joined(separator: ", "))")
            }
            func number(_ key: String, _ range: ClosedRange<Double>) throws -> Double? {
                guard let value = values[key] else { return nil }
                guard let number = value.double ?? value.int.map(Double.init), range.contains(number) else {
                    throw ValidationError(
                        "sizes.\(name).\(key) in the options file is no number from \(range.lowerBound) to \(range.upperBound)"
                    )
                }
                return number
            }
            sizes.removeAll { $0.name == name }
            sizes.append(
                InstanceSize(
                    name: name, memoryBytes: try number("memory-mb", 1...1_000_000_000).map { Int($0) << 20 },
                    cpuShare: try number("cpu-share", 1...10_000).map { Int($0) },
                    cpuQuota: try number("cpus", 0.01...10_000),
                    maxProcesses: try number("processes", 1...4_194_304).map { Int($0) },
                    maxOpenFiles: try number("open-files", 3...1_048_576).map { Int($0) },
                    diskBytes: try number("disk-mb", 1...1_000_000_000).map { Int($0) << 20 }))
        }
        return sizes
    }

    func share(_ option: Double?, _ name: String) throws -> Double? {
        let text = try option.map { "\($0)" } ?? self.text(nil, name)
        guard let text else { return nil }
        guard let share = Double(text), (0...1).contains(share) else {
            throw ValidationError("\(name) takes a number from 0 to 1, not \(text)")
        }
        return share
    }

    func list(_ name: String) throws -> [String] {
        if let array = self.table?[name]?.array { return array.compactMap { $0.string } }
        return try self.text(nil, name)?.split(separator: ":").map(String.init) ?? []
    }
}
