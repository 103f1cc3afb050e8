import PlatformKitTesting
import Testing

@Suite struct `The promises of issuers` {
    @Test(arguments: CertificateIssuerConformance.Check.all)
    func `are kept by the scripted one`(check: CertificateIssuerConformance.Check) async throws {
        try await check.run(CertificateIssuerConformance(refused: nil) { ScriptedIssuer() })
    }
}
