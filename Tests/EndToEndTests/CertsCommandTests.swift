import ArgumentParser
import Testing

@testable import slipway

@Suite struct CertsCommandTests {
    @Test(arguments: [["remove", "a.example"], ["add", "--cert", "a.pem", "--key", "a.key"]])
    func `a certificate is of an application or of the platform, not of both`(command: [String]) throws {
        for owner in [["--app", "x"], ["--platform"], []] {
            _ = try CertsCommand.parseAsRoot(command + owner)
        }
        let error = #expect(throws: (any Error).self) {
            try CertsCommand.parseAsRoot(command + ["--platform", "--app", "x"])
        }
        #expect(error.map { CertsCommand.message(for: $0).contains("or the platform's") } == true)
    }
}
