internal import Synchronization

/// The names of applications by their identities, for what people read.
public final class ApplicationNames: Sendable {
    private let names = Mutex<[String: String]>([:])

    /// Knows no name yet; the platform fills it.
    public init() {}

    /// The name, or the identity while the name is unknown.
    public func name(of id: String) -> String { self.names.withLock { $0[id] } ?? id }

    /// The name; `nil` for an application that there is not (any more).
    func known(_ id: String) -> String? { self.names.withLock { $0[id] } }

    func set(_ name: String?, of id: String) { self.names.withLock { $0[id] = name } }
}
