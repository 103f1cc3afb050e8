import Subprocess
import SystemPackage
import TestSupport
import Testing

extension Pebble {
    /// What signs the certificates that it issues, as a file.
    func issuer(in directory: FilePath) async throws -> FilePath {
        let file = directory.appending("issuer.pem")
        let result = try await command(
            .name("curl"),
            [
                "-sS", "--retry", "20", "--retry-connrefused", "--retry-delay", "1", "--cacert",
                self.authorityFile.string, "-o", file.string, self.root,
            ])
        try #require(result.status == 0, "\(result)")
        return file
    }
}
