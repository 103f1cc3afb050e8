import Logging
import PlatformKitTesting
import RouterACME
import RouterCore
import TestSupport
import Testing

@testable import slipway

@Suite struct `The promises of issuers` {
    @Test(arguments: CertificateIssuerConformance.Check.all)
    func `are kept by the host's`(check: CertificateIssuerConformance.Check) async throws {
        try await withTemporaryDirectory { directory in
            try await check.run(
                CertificateIssuerConformance(refused: "not a host") {
                    // It does not run, and asks nobody.
                    try ACMEIssuer(
                        .init(directory: "https://acme.invalid/directory"), certificates: CertificateStore(),
                        challenges: ACMEChallenges(), storage: DirectoryACMEStorage(directory: directory),
                        logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
                })
        }
    }
}
