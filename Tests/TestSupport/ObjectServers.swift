import Foundation
import Subprocess
public import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// moto, a server that speaks S3, by its own lights; it is not strict about signatures.
enum MotoServer {
    /// In `PATH`, or where `dev/setup --tests` puts it.
    private static let program = ServerProcess.find(
        "moto_server",
        orIn: [
            URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../.build/moto/bin").standardized
                .path
        ])

    /// Whether it is installed.
    static var isInstalled: Bool { self.program != nil }

    /// Runs it while `body` runs, which is told its port on the loopback address.
    static func with<R: Sendable>(_ body: @Sendable @escaping (Int) async throws -> R) async throws -> R {
        guard let program else { throw S3Server.Missing() }
        let port = try FreePorts.find(1)[0]
        let environment = ProcessInfo.processInfo.environment
        return try await ServerProcess.running(
            program, ["-H", "127.0.0.1", "-p", "\(port)"],
            environment: [
                "PATH": environment["PATH"] ?? "/usr/bin:/bin", "HOME": environment["HOME"] ?? "/",
                "PYTHONUNBUFFERED": "1",
            ], until: "Running on"
        ) { try await body(port) }
    }
}

/// The reference implementation of an OCI registry.
public enum RegistryServer {
    /// It is not installed.
    public struct Missing: Error {}

    private static let program = ServerProcess.find("docker-registry") ?? ServerProcess.find("registry")

    /// Whether it is installed.
    public static var isInstalled: Bool { self.program != nil }

    /// Runs it, with its files in `directory`, while `body` runs, which is told its port on the loopback address.
    public static func with<R: Sendable>(
        in directory: FilePath, _ body: @Sendable @escaping (Int) async throws -> R
    ) async throws -> R {
        guard let program else { throw Missing() }
        let port = try FreePorts.find(1)[0]
        let settings = directory.appending("registry.yml")
        try """
        version: 0.1
        storage:
          filesystem: {rootdirectory: \(directory.appending("registry"))}
          delete: {enabled: true}
        http: {addr: "127.0.0.1:\(port)", secret: "of a test"}
        """.write(toFile: settings.string, atomically: true, encoding: .utf8)
        return try await ServerProcess.running(
            program, ["serve", settings.string], environment: ["OTEL_TRACES_EXPORTER": "none"], until: "listening on"
        ) { try await body(port) }
    }
}
