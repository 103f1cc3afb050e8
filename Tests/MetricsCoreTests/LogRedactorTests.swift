import Testing

@testable import MetricsCore

@Suite struct LogRedactorTests {
    @Test(arguments: [
        (["hunter2!"], "password is hunter2!", "password is [redacted]"),
        (["hunter2!"], "hunter2!hunter2! hunter2", "[redacted][redacted] hunter2"),
        (["secret", "secret-longer"], "a secret-longer b secret c", "a [redacted] b [redacted] c"),
        (["geheimnis-ü"], "xgeheimnis-üy", "x[redacted]y"),
        (["aaaaaa"], "aaaaaaaaaaaaa", "[redacted][redacted]a"),
        (["abcdef", "bcdefg"], "abcdefg", "[redacted]g"),
        (["abcdef"], "abcde", "abcde"),
        (["abcdef"], "", ""),
        (["line-one\nline-two\r\n  ok  "], "x line-two y line-one", "x [redacted] y [redacted]"),
        (["line-one\nline-two"], "a line-one\nline-two b", "a [redacted] b"),
        (["short", "longenough"], "short longenough", "short [redacted]"),
    ])
    func `secrets are replaced`(secrets: [String], text: String, expected: String) throws {
        let redactor = try #require(LogRedactor(secrets: Set(secrets)))
        #expect(redactor.redact(text) == expected)
    }

    @Test func `short secrets are left alone`() {
        #expect(LogRedactor(secrets: ["", "true", "54321"]) == nil)
        #expect(LogRedactor(secrets: []) == nil)
    }

    @Test(arguments: [UInt64](1...30))
    func `nothing of many secrets remains in random text`(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let alphabet = Array("abé-")
        func word(_ length: ClosedRange<Int>) -> String {
            String(
                (0..<Int.random(in: length, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? "a" })
        }
        let secrets = Set((0..<20).map { _ in word(6...9) })
        let redactor = try #require(LogRedactor(secrets: secrets))
        for _ in 0..<50 {
            let text = word(0...60)
            let redacted = redactor.redact(text)
            for secret in secrets { #expect(!redacted.contains(secret)) }
            if !secrets.contains(where: text.contains) { #expect(redacted == text) }
        }
    }
}
