import Testing

@testable import PlatformAPI

struct AccessTokenTests {
    @Test(arguments: [
        ("Bearer abc", "abc"), ("bearer  abc", "abc"), ("Basic YW55OmFiYw==", "abc"), ("Basic OmE6Yg==", "a:b"),
        ("Basic YW55", nil), ("Basic !!!", nil), ("Basic //8=", nil), ("Bearer", nil), ("Bearer ", nil),
        ("Digest abc", nil),
        ("", nil), ("Bearer " + String(repeating: "x", count: 1025), nil),
    ])
    func `finds the token in an authorization field`(field: String, token: String?) {
        #expect(AccessToken(authorization: field)?.value == token)
    }

    @Test(arguments: [
        ("a%20b", "a b"), ("%E2%82%AC", "€"), ("%ff", nil), ("%", nil), ("%4", nil), ("%zz", nil), ("+", "+"),
    ])
    func `decodes what the path names`(text: String, decoded: String?) {
        #expect(percentDecoded(text) == decoded)
    }
}
