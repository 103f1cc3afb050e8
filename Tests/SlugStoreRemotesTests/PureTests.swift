import Testing

@testable import SlugStoreRemotes

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

@Suite struct SigV4Tests {
    static let signer = SigV4(
        accessKeyID: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        sessionToken: nil, region: "us-east-1")
    /// 24 May 2013, 00:00 UTC.
    static let date = Date(timeIntervalSince1970: 1_369_353_600)
    static let host = (name: "Host", value: "examplebucket.s3.amazonaws.com")

    static func signature(
        _ method: String, _ path: String, query: [(name: String, value: String)] = [],
        headers: [(name: String, value: String)] = [], payload: String = ""
    ) -> String? {
        self.signer.headers(
            method: method, path: path, query: query, headers: headers + [self.host],
            payloadHash: SigV4.hex(Digest.sha256(Array(payload.utf8))), date: self.date
        ).last?.value.split(separator: "=").last.map(String.init)
    }

    // The examples of "Signature Calculations for the Authorization Header" in AWS's reference of the S3 API.
    @Test func `AWS's examples have the signatures that AWS says`() {
        #expect(
            Self.signature("GET", "/test.txt", headers: [(name: "Range", value: "bytes=0-9")])
                == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
        #expect(
            Self.signature(
                "PUT", "/test%24file.text",
                headers: [
                    (name: "Date", value: "Fri, 24 May 2013 00:00:00 GMT"),
                    (name: "x-amz-storage-class", value: "REDUCED_REDUNDANCY"),
                ], payload: "Welcome to Amazon S3.")
                == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")
        #expect(
            Self.signature("GET", "/", query: [(name: "lifecycle", value: "")])
                == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")
        #expect(
            Self.signature("GET", "/", query: [(name: "prefix", value: "J"), (name: "max-keys", value: "2")])
                == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")
    }

    @Test(arguments: [
        (0, "19700101T000000Z"), (951_782_400, "20000229T000000Z"), (1_369_353_599, "20130523T235959Z"),
        (4_107_542_399, "21000228T235959Z"), (4_107_542_400, "21000301T000000Z"), (-1, "19691231T235959Z"),
    ])
    func `times are written by arithmetic`(seconds: Int, expected: String) {
        #expect(SigV4.time(Date(timeIntervalSince1970: Double(seconds))) == expected)
    }

    @Test func `text is encoded as the specification says`() {
        #expect(SigV4.encoded("a-b.c_d~e/f g+ü") == "a-b.c_d~e%2Ff%20g%2B%C3%BC")
        #expect(SigV4.encoded("a/b$", keeping: [0x2f]) == "a/b%24")
        #expect(SigV4.query([("b", "2"), ("a", "x y"), ("a-", "1")]) == "a-=1&a=x%20y&b=2")
    }
}

@Suite struct XMLTests {
    @Test func `a list is read`() throws {
        let text = """
            <?xml version="1.0" encoding="UTF-8"?>
            <!-- a comment -->
            <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name >b</Name><Prefix/>
            <Contents><Key>a&amp;&lt;b&#x41;&#66;</Key></Contents><Contents><Key>ü</Key></Contents></ListBucketResult>

            """
        let document = try XMLElement(parsing: Array(text.utf8))
        #expect(document.name == "ListBucketResult" && document["Name"]?.text == "b" && document["Prefix"]?.text == "")
        #expect(document.children.filter { $0.name == "Contents" }.map { $0["Key"]?.text } == ["a&<bAB", "ü"])
    }

    @Test(arguments: [
        "", "text", "<a>", "<a></b>", "<a></a><b/>", "<a b></a>", "<a b=c/>", "<a>&who;</a>", "<a>&#xD800;</a>",
        "<a>&amp</a>",
        "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "<a><![CDATA[b]]></a>", "<a", "<>", "<a/>x", "<a><!-- </a>",
        String(repeating: "<a>", count: 17) + String(repeating: "</a>", count: 17),
    ])
    func `what no honest server sends is refused`(text: String) {
        #expect(throws: XMLElement.Malformed.self) { try XMLElement(parsing: Array(text.utf8)) }
    }
}

@Suite struct RegistryGrammarTests {
    @Test(
        arguments: [
            (
                "Bearer realm=\"https://a/token\",service=\"s\",scope=\"repository:x:pull,push\"",
                .bearer(realm: "https://a/token", service: "s", scope: "repository:x:pull,push")
            ),
            ("Basic realm=\"x\", Bearer realm=\"https://b\"", .bearer(realm: "https://b", service: nil, scope: nil)),
            ("basic realm=\"a \\\"quoted\\\" one\"", .basic), ("BASIC", .basic), ("Bearer service=\"no-realm\"", nil),
            ("Negotiate", nil), ("Bearer realm=\"unended", nil), ("", nil), ("=", nil),
        ] as [(String, RegistryChallenge?)])
    func `challenges are read`(field: String, expected: RegistryChallenge?) {
        #expect(RegistryChallenge(field) == expected)
    }

    @Test(arguments: [
        ("slugs", true), ("a/b-c/d__e.f", true), ("a--b", true), ("", false), ("A", false), ("a//b", false),
        ("-a", false),
        ("a_", false), ("a___b", false), ("a..b", false), ("a/", false), (String(repeating: "a", count: 256), false),
    ])
    func `names of repositories are within the grammar`(name: String, isName: Bool) {
        #expect(RegistryClient.isName(name) == isName)
    }

    @Test(
        arguments: [
            ("https://s3.example.org", "https://s3.example.org", false),
            ("http://127.0.0.1:5000/", "http://127.0.0.1:5000", true),
            ("https://[::1]:443", "https://[::1]", true),
            ("HTTPS://Example.ORG:8443", "https://example.org:8443", false),
            ("http://127.0.0.1.example.org", "http://127.0.0.1.example.org", false),
            ("https://user@host", nil, false), ("https://host/path", nil, false), ("ftp://host", nil, false),
            ("https://", nil, false), ("https://host:0", nil, false), ("https://::1", nil, false), ("host", nil, false),
        ] as [(String, String?, Bool)])
    func `endpoints are a scheme, a host and a port`(url: String, expected: String?, isLoopback: Bool) {
        let endpoint = RemoteEndpoint(url)
        #expect(endpoint?.description == expected)
        #expect(endpoint?.isLoopback ?? false == isLoopback)
    }

    @Test(arguments: [
        ("bytes 0-9/10", true), ("bytes 5-9/*", true), ("bytes 0-10/10", false), ("bytes 9-5/10", false),
        ("bytes */10", false), ("0-9/10", false), ("bytes 0-9", false), ("bytes -1-9/10", false),
    ])
    func `ranges of answers are read`(text: String, isValid: Bool) {
        #expect((ContentRange(text) != nil) == isValid)
    }
}
