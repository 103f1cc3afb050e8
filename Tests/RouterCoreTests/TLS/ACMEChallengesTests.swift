import Testing

@testable import RouterCore

@Suite struct `Answers to challenges` {
    private func answer(_ challenges: ACMEChallenges, _ path: String) -> String? {
        Array(path.utf8).withUnsafeBytes { challenges.answer(path: $0) }
    }

    @Test func `are given for a token's path and no other, as long as it is set`() {
        let challenges = ACMEChallenges()
        #expect(self.answer(challenges, "/.well-known/acme-challenge/token") == nil)
        challenges.setHTTP(token: "token", keyAuthorization: "token.thumbprint")
        #expect(self.answer(challenges, "/.well-known/acme-challenge/token") == "token.thumbprint")
        for path in [
            "/.well-known/acme-challenge/", "/.well-known/acme-challenge/other", "/token", "",
            "/.well-known/acme-challenge/token/", "/.well-known/acme-challenge/" + String(repeating: "a", count: 300),
        ] {
            #expect(self.answer(challenges, path) == nil)
        }
        challenges.removeHTTP(token: "token")
        #expect(self.answer(challenges, "/.well-known/acme-challenge/token") == nil)
    }

    @Test(arguments: ["*.example.com", "", "a b"])
    func `are not prepared for what cannot be checked`(host: String) throws {
        let certificate = try TestAuthority().issue(["a.example"]).certificate
        let error = #expect(throws: TLSError.self) {
            try ACMEChallenges().setTLSALPN(host: host, certificate: certificate)
        }
        #expect(error?.code == .invalidHost)
    }
}
