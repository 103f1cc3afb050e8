/// What a maintenance of a repository found and did.
public struct MaintenanceReport: Sendable, Hashable, CustomStringConvertible {
    /// The packs before.
    public var packsBefore = 0
    /// The packs after.
    public var packsAfter = 0
    /// The bytes of packs before.
    public var bytesBefore = 0
    /// The bytes of packs after.
    public var bytesAfter = 0
    /// The objects that references reach.
    public var reachableObjects = 0
    /// The objects that no reference reaches, put aside in this run until their time is over.
    public var keptObjects = 0
    /// The objects that no reference reached for longer than the grace time: they are gone.
    public var prunedObjects = 0
    /// Temporary files, quarantines and locks that dead processes had left.
    public var leftovers = 0
    /// What could not be done, each as a sentence. It is tried again the next time.
    public var notes: [String] = []

    /// An empty report.
    public init() {}

    /// The report in a line.
    public var description: String {
        var parts = [
            "\(self.packsBefore) packs became \(self.packsAfter)",
            "\(self.bytesBefore) bytes became \(self.bytesAfter)",
            "\(self.reachableObjects) objects in use", "\(self.keptObjects) put aside", "\(self.prunedObjects) removed",
        ]
        if self.leftovers > 0 { parts.append("\(self.leftovers) leftovers swept") }
        return (parts + self.notes).joined(separator: "; ")
    }
}
