/// What a ``ScriptedRuntime`` was told to do. Instances go by `web.1@v3`.
public enum RuntimeRecord: Sendable, Hashable, CustomStringConvertible {
    /// An instance was to be started, whether or not that succeeded.
    case start(String)
    /// The route of an application was set, to these instances.
    case route([String])
    /// The route of an application was removed.
    case removeRoute
    /// Requests to these instances were to come to an end.
    case drain([String])
    /// An instance was to be stopped.
    case stop(String)
    /// The process of an instance was to be replaced.
    case restart(String)
    /// A one-off or a release command was run.
    case oneOff(String)

    /// The same as a line, such as `drain web.1@v1`.
    public var description: String {
        switch self {
        case .start(let name): "start \(name)"
        case .route(let names): "route [\(names.joined(separator: " "))]"
        case .removeRoute: "remove route"
        case .drain(let names): "drain \(names.joined(separator: " "))"
        case .stop(let name): "stop \(name)"
        case .restart(let name): "restart \(name)"
        case .oneOff(let name): "run \(name)"
        }
    }
}
