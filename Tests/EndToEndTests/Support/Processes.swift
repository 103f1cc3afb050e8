import Foundation
import SystemPackage

/// Every process whose environment or working directory says that it belongs to this data directory.
func processes(of data: FilePath) throws -> [Int32] {
    try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { Int32($0) }.filter { pid in
        guard isAlive(pid), pid != ProcessInfo.processInfo.processIdentifier else { return false }
        let environment = FileManager.default.contents(atPath: "/proc/\(pid)/environ") ?? Data()
        return environment.range(of: Data("=\(data.string)/".utf8)) != nil
    }
}
