import SystemPackage

/// A file operation of the builder that failed.
struct FileError: Error, CustomStringConvertible {
    var operation: String
    var path: FilePath
    var errno: Errno

    var description: String { "\(self.operation) \(self.path): \(self.errno)" }
}
