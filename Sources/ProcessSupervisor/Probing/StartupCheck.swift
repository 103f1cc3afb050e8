/// How to tell that an instance has started up, where that is something else than its readiness.
///
/// Until then neither readiness nor liveness is asked; from then on liveness is, even of an instance that is never ready.
/// ``InstanceSpec/bootTimeout`` limits both together.
public enum StartupCheck: Codable, Sendable, Hashable {
    /// When this probe has succeeded. Its failures are not counted: the boot timeout ends the waiting.
    case probe(Probe)
    /// When the process has written a line end to the descriptor of this number, 3 to 255, as programs for s6 do. It
    /// should close the descriptor then.
    case notification(descriptor: Int32)
}
