/// A command that is run for an instance at one moment of its life: with its environment, directory, user and limits, its
/// output among the instance's lines.
///
/// That it fails is told by ``SupervisorEvent/Kind/commandFailed(_:)``, and changes nothing.
public struct LifecycleCommand: Codable, Sendable, Hashable {
    /// When a command is run.
    public enum Moment: String, Codable, Sendable {
        /// As soon as the process is executed, beside it; nothing waits for it.
        case postStart
        /// Before the signal that ends the process. Its time is part of the grace.
        case preStop
    }

    /// The program and its arguments.
    public var arguments: [String]
    /// How long it may take before it is ended; up to a day.
    public var timeout: Duration

    /// Describes a command.
    public init(_ arguments: [String], timeout: Duration = .seconds(10)) {
        self.arguments = arguments
        self.timeout = timeout
    }
}
