/// A question to an instance, asked again and again.
public struct Probe: Codable, Sendable, Hashable {
    /// What is asked.
    public enum Check: Codable, Sendable, Hashable {
        /// Does 127.0.0.1 accept a connection on the instance's port?
        case tcp
        /// Does `GET path` on the instance's port answer with an expected status? `host` is the Host header; nil:
        /// 127.0.0.1 and the port.
        case http(path: String, headers: [String: String], expectedStatus: Range<Int>, host: String?)
        /// Does this command, run with the instance's environment and directory, return 0?
        case command([String])
    }

    /// What is asked.
    public var check: Check
    /// The pause between an answer and the next question, once the instance was ready.
    public var interval: Duration
    /// The longest pause before it was ready; the first is 10 ms, and each is twice the one before.
    public var bootInterval: Duration
    /// How long an answer may take.
    public var timeout: Duration
    /// Good answers in a row that make it ready (again).
    public var successThreshold: Int
    /// Bad answers in a row that make it unready, or dead.
    public var failureThreshold: Int

    /// Describes a probe.
    public init(
        _ check: Check,
        interval: Duration = .seconds(5),
        bootInterval: Duration = .milliseconds(250),
        timeout: Duration = .seconds(5),
        successThreshold: Int = 1,
        failureThreshold: Int = 3
    ) {
        self.check = check
        self.interval = interval
        self.bootInterval = bootInterval
        self.timeout = timeout
        self.successThreshold = successThreshold
        self.failureThreshold = failureThreshold
    }

    /// Asks whether the port accepts connections.
    public static var tcp: Probe { Probe(.tcp) }

    /// Asks for a page.
    public static func http(
        path: String, headers: [String: String] = [:], expectedStatus: Range<Int> = 200..<400, host: String? = nil,
        interval: Duration = .seconds(5), timeout: Duration = .seconds(5), failureThreshold: Int = 3
    ) -> Probe {
        Probe(
            .http(path: path, headers: headers, expectedStatus: expectedStatus, host: host),
            interval: interval, timeout: timeout, failureThreshold: failureThreshold)
    }

    /// Runs a command.
    public static func command(_ arguments: [String]) -> Probe { Probe(.command(arguments)) }
}
