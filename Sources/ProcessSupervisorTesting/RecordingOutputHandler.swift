public import ProcessSupervisor

/// Keeps every line, for tests to look at and to wait for.
public final class RecordingOutputHandler: OutputHandler {
    private struct Entry: Sendable {
        var id: InstanceID
        var line: OutputLine
    }
    private let entries = Moments<Entry>()

    /// Makes an empty one.
    public init() {}

    /// Keeps the lines.
    public func receive(_ lines: [OutputLine], from id: InstanceID, labels: [String: String]) {
        self.entries.append(contentsOf: lines.map { Entry(id: id, line: $0) })
    }

    /// What an instance has written so far.
    public func lines(of id: InstanceID) -> [OutputLine] {
        self.entries.elements.filter { $0.id == id }.map(\.line)
    }

    /// The texts of ``lines(of:)``.
    public func texts(of id: InstanceID) -> [String] { self.lines(of: id).map(\.text) }

    /// Returns the lines of an instance once they meet a condition, or as they are when the calling task is cancelled.
    @discardableResult
    public func lines(
        of id: InstanceID, until isMet: @escaping @Sendable ([String]) -> Bool
    ) async -> [String] {
        await self.entries.wait { entries in isMet(entries.filter { $0.id == id }.map(\.line.text)) }
        return self.texts(of: id)
    }
}
