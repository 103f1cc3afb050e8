import CProcessLauncher
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Asks one question once.
struct Prober: Sendable {
    var probe: Probe
    /// The instance's address; nil: 127.0.0.1.
    var host: String?
    var port: Int?
    var clock: any Clock<Duration>
    /// Runs a command in the instance's surroundings and returns how it ended; ends it when cancelled.
    var runCommand: @Sendable ([String]) async throws(SupervisorError) -> ExitStatus

    /// The answer, after the probe's timeout at the latest, or when cancelled.
    func ask() async -> ProbeReport {
        await withTaskGroup(of: ProbeReport?.self) { group in
            group.addTask { await self.answer() }
            group.addTask {
                try? await self.clock.sleep(for: self.probe.timeout)
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
                ?? ProbeReport(
                    succeeded: false, detail: "\(self.question) did not answer within \(self.probe.timeout.inSeconds)")
        }
    }

    private var question: String {
        switch self.probe.check {
        case .tcp: "port \(self.port ?? 0)"
        case .http(let path, _, _, _, _): "GET \(path)"
        case .command(let arguments): arguments.first ?? "command"
        }
    }

    private func answer() async -> ProbeReport {
        do throws(ProbeFailure) {
            switch self.probe.check {
            case .tcp:
                _ = try await self.connect()
                return ProbeReport(succeeded: true, detail: "\(self.question) accepts connections")
            case .http(let path, let headers, let expected, let host, let text):
                return try await self.get(path, headers: headers, expected: expected, host: host, text: text)
            case .command(let arguments):
                return await self.execute(arguments)
            }
        } catch {
            return ProbeReport(succeeded: false, detail: error.detail)
        }
    }

    private struct ProbeFailure: Error { var detail: String }

    private func connect() async throws(ProbeFailure) -> Descriptor {
        guard let port = self.port.flatMap({ UInt16(exactly: $0) }) else {
            throw ProbeFailure(detail: "the instance has no port to ask")
        }
        func failure(_ error: Int32) -> ProbeFailure {
            error == ECONNREFUSED
                ? ProbeFailure(detail: "connection refused on port \(port)")
                : ProbeFailure(detail: "cannot connect to port \(port): \(describe(errno: error))")
        }
        let host = self.host.flatMap { IPv4Address($0) } ?? .loopback
        let socket = slipway_connect(host.number, port)
        guard socket >= 0 else { throw failure(errno) }
        let connection = Descriptor(owning: socket)
        await connection.wait(for: .writable)
        let error = slipway_socket_error(socket)
        guard error == 0 else { throw failure(error) }
        return connection
    }

    private func get(
        _ path: String, headers: [String: String], expected: StatusSet, host: String?, text: String?
    ) async throws(ProbeFailure) -> ProbeReport {
        let connection = try await self.connect()
        let request = HTTPProbe.request(path: path, headers: headers, host: host ?? "127.0.0.1:\(self.port ?? 0)")
        // Far smaller than a fresh socket's buffer: it goes out at once.
        let sent = request.withUnsafeBytes { slipway_write(connection.rawValue, $0.baseAddress, $0.count) }
        guard sent == request.count else { throw ProbeFailure(detail: "GET \(path): the connection broke") }
        var response = HTTPProbe.Response()
        while true {
            await connection.wait(for: .readable)
            if Task.isCancelled { throw ProbeFailure(detail: "GET \(path) was cancelled") }
            let bytes: [UInt8]?
            do { bytes = try readAvailable(connection, limit: HTTPProbe.Response.limit) } catch {
                throw ProbeFailure(detail: "GET \(path): the connection broke: \(error)")
            }
            response.append(bytes)
            // Of a good answer as much as tells it, of a bad one as much as explains it.
            let isGood = response.status.map(expected.contains) ?? false
            if isGood ? text.map(response.settles) ?? true : response.hasExcerpt { break }
        }
        guard let status = response.status else {
            throw ProbeFailure(detail: "GET \(path): what came back is not HTTP")
        }
        if expected.contains(status), let text, !response.contains(text) {
            return ProbeReport(succeeded: false, detail: "GET \(path) answered \(status), without \"\(text)\"")
        }
        let succeeded = expected.contains(status)
        let excerpt = succeeded ? "" : response.excerpt.map { ": \($0)" } ?? ""
        return ProbeReport(succeeded: succeeded, detail: "GET \(path) answered \(status)\(excerpt)")
    }

    private func execute(_ arguments: [String]) async -> ProbeReport {
        do {
            let status = try await self.runCommand(arguments)
            return ProbeReport(succeeded: status == .exited(0), detail: "\(self.question): \(status)")
        } catch {
            return ProbeReport(succeeded: false, detail: error.message)
        }
    }
}

extension Duration {
    /// Such as "60 s" or "0.5 s".
    var inSeconds: String {
        let (seconds, attoseconds) = self.components
        let milliseconds = attoseconds / 1_000_000_000_000_000
        if milliseconds == 0 { return "\(seconds) s" }
        var fraction = String(1000 + milliseconds).dropFirst()
        while fraction.last == "0" { fraction.removeLast() }
        return "\(seconds).\(fraction) s"
    }
}
