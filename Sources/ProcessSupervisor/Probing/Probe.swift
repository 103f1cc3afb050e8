/// A question to an instance, asked again and again.
public struct Probe: Codable, Sendable, Hashable {
    /// What is asked.
    public enum Check: Codable, Sendable, Hashable {
        /// Does the instance's address, 127.0.0.1 unless it has one of its own, accept a connection on its port?
        case tcp
        /// Does `GET path` on the instance's port answer with an expected status, and with this text in the first 16 KB?
        /// `host` is the Host header; nil: 127.0.0.1 and the port, whatever its address is.
        case http(
            path: String, headers: [String: String], expectedStatus: StatusSet, host: String?,
            bodyContains: String? = nil)
        /// Does this command, run with the instance's environment and directory, return 0?
        case command([String])
    }

    /// What is asked.
    public var check: Check
    /// How long the first question waits: while it boots, after its start or its startup check; of liveness, after that has
    /// begun, and ``interval`` at least. At most an hour.
    public var initialDelay: Duration
    /// The pause between an answer and the next question, once the instance was ready. Up to a day, as every time here.
    public var interval: Duration
    /// The longest pause before it was ready; the first is 10 ms, and each is twice the one before.
    public var bootInterval: Duration
    /// How long an answer may take.
    public var timeout: Duration
    /// Good answers in a row that make it ready (again), 1 to 1,000. Of no meaning to liveness.
    public var successThreshold: Int
    /// Bad answers in a row that make it unready, or dead; 1 to 1,000.
    public var failureThreshold: Int

    /// Describes a probe.
    public init(
        _ check: Check,
        initialDelay: Duration = .zero,
        interval: Duration = .seconds(5),
        bootInterval: Duration = .milliseconds(250),
        timeout: Duration = .seconds(5),
        successThreshold: Int = 1,
        failureThreshold: Int = 3
    ) {
        self.check = check
        self.initialDelay = initialDelay
        self.interval = interval
        self.bootInterval = bootInterval
        self.timeout = timeout
        self.successThreshold = successThreshold
        self.failureThreshold = failureThreshold
    }

    /// Reads a probe; one that was recorded before there was an initial delay has none.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            try container.decode(Check.self, forKey: .check),
            initialDelay: try container.decodeIfPresent(Duration.self, forKey: .initialDelay) ?? .zero,
            interval: try container.decode(Duration.self, forKey: .interval),
            bootInterval: try container.decode(Duration.self, forKey: .bootInterval),
            timeout: try container.decode(Duration.self, forKey: .timeout),
            successThreshold: try container.decode(Int.self, forKey: .successThreshold),
            failureThreshold: try container.decode(Int.self, forKey: .failureThreshold))
    }

    /// Asks whether the port accepts connections.
    public static var tcp: Probe { Probe(.tcp) }

    /// Asks for a page.
    public static func http(
        path: String, headers: [String: String] = [:], expectedStatus: StatusSet = .successOrRedirect,
        host: String? = nil, bodyContains: String? = nil,
        interval: Duration = .seconds(5), timeout: Duration = .seconds(5), failureThreshold: Int = 3
    ) -> Probe {
        Probe(
            .http(
                path: path, headers: headers, expectedStatus: expectedStatus, host: host, bodyContains: bodyContains),
            interval: interval, timeout: timeout, failureThreshold: failureThreshold)
    }

    /// Runs a command.
    public static func command(_ arguments: [String]) -> Probe { Probe(.command(arguments)) }
}
