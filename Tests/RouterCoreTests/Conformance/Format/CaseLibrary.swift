import Foundation

/// The cases that are written in files.
enum CaseLibrary {
    /// All of them, by topic. With `SLIPWAY_CONFORMANCE_ONLY` in the environment, those alone whose topic or name has it.
    static func all() throws -> [ProxyCase] {
        guard let directory = Bundle.module.resourceURL?.appendingPathComponent("Cases") else {
            throw CaseFileError("The case files are not among the resources of the tests.")
        }
        let files = try FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "txt" }
            .sorted { $0.lastPathComponent < $1.lastPathComponent }
        let cases = try files.flatMap { file in
            try CaseParser.parse(
                String(contentsOf: file, encoding: .utf8), topic: file.deletingPathExtension().lastPathComponent)
        }
        guard let only = ProcessInfo.processInfo.environment["SLIPWAY_CONFORMANCE_ONLY"] else { return cases }
        return cases.filter { $0.testDescription.contains(only) }
    }
}
