import Foundation
import Logging
import ProcessSupervisor
import SystemPackage

/// What a host before this one had, by what is in the data directory.
///
/// Only where there is neither a record nor any instance was nobody promised anything. A record that cannot be read, or that
/// is missing though there are instances, may have been any: then instances get no less than the most.
struct FormerConfinement: CustomStringConvertible {
    struct Record: Codable, Equatable {
        var level: Isolation.Level
        var users: ClosedRange<UInt32>?
        /// Why trees were read-only; nil: they were not.
        var readOnlyReason: String?

        func write(to path: FilePath) throws {
            try JSONEncoder().encode(self).write(to: URL(filePath: path.string), options: .atomic)
        }
    }

    /// What is known.
    let record: Record?
    /// What the strongest is at least.
    let least: Isolation.Level
    /// Whether applications had users of their own, which are then not given up for what does not work now.
    let keepsUsers: Bool

    init(_ data: DataDirectory, _ logger: Logger) {
        do {
            let record = try JSONDecoder().decode(
                Record.self, from: try Data(contentsOf: URL(filePath: data.confinement.string)))
            self.record = record
            self.least = record.level
            self.keepsUsers = record.users != nil
            return
        } catch let error as CocoaError where error.code == .fileReadNoSuchFile {
            // Where the supervisor has a directory for each.
            let instances = data.instances.appending("instances").string
            if (try? FileManager.default.contentsOfDirectory(atPath: instances))?.isEmpty ?? true {
                self.record = nil
                self.least = .host
                self.keepsUsers = false
                return
            }
            logger.error(
                "\(data.confinement) is missing, though there are instances: they may have been isolated, so that no less than a sandbox is chosen"
            )
        } catch {
            logger.error(
                "\(data.confinement) cannot be read: instances may have been isolated, so that no less than a sandbox is chosen: \(error)"
            )
        }
        self.record = nil
        self.least = .sandbox
        self.keepsUsers = true
    }

    var description: String {
        guard let record else { return "how instances were isolated until now is not known" }
        return
            "instances were started with the isolation \"\(record.level.rawValue)\" until now, and \(Confinement.describe(record.users))"
    }
}
