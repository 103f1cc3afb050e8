import GitReceiver
import HTTPTypes
import Hummingbird
import Logging
import NIOPosix
import PlatformClient
import PlatformKit
import PlatformWire
import SlugStore
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import PlatformAPI

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

@Suite(.timeLimit(.minutes(1)))
struct APIServerTests {
    @Test(arguments: [
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (951_827_696, "Tue, 29 Feb 2000 12:34:56 GMT"), (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
    ])
    func `writes dates as HTTP has them`(seconds: Int, text: String) {
        #expect(httpDate(secondsSince1970: seconds) == text)
    }

    @Test func `answers each operation with its value`() async throws {
        try await withServer { server in
            let client = server.client()
            #expect(try await client.applications() == [FakeControlPlane.application("blog")])
            #expect(try await client.createApplication(named: "shop") == FakeControlPlane.application("shop"))
            #expect(try await client.application(named: "blog").createdAt == FakeControlPlane.date)
            #expect(try await client.renameApplication("blog", to: "log").name == "log")
            #expect(try await client.setMaintenance(true, of: "blog").maintenance)
            #expect(try await client.config(of: "blog") == ["KEY": "a value"])
            #expect(try await client.deployments(of: "blog") == [FakeControlPlane.deployment])
            #expect(try await client.deployment(7, of: "blog") == FakeControlPlane.deployment)
            #expect(try await client.deploymentLog(7, of: "blog") == "-----> Größe\n")
            #expect(try await client.cancelDeployment(7, of: "blog") == FakeControlPlane.deployment)
            #expect(try await client.releases(of: "blog") == [FakeControlPlane.release])
            #expect(try await client.release(2, of: "blog") == FakeControlPlane.release)
            let pinned = try await client.setPin(true, of: 5, of: "blog")
            #expect((pinned.version, pinned.isPinned) == (5, true))
            #expect(try await client.setPin(false, of: 5, of: "blog").isPinned == false)
            #expect(try await client.slugs().map(\.id) == ["abc"])
            #expect(try await client.slugDifference(from: 3, to: 4, of: "blog").added == 3)
            #expect(try await client.slugDifference(from: nil, to: 4, of: "blog").added == 0)
            #expect(try await client.checkSlugs(share: 0.5) { _ in }.bytes == 50)
            #expect(try await client.collectSlugGarbage { _ in }.chunks == 2)
            #expect(try await client.instances(of: "blog") == [FakeControlPlane.instance])
            #expect(try await client.stopInstance("web.1", of: "blog") == [FakeControlPlane.instance])
            #expect(try await client.metrics(of: "blog", since: .seconds(90)).windowSeconds == 90)
            #expect(try await client.domains(of: "blog") == ["blog.localhost"])
            #expect(try await client.addDomain("www.example.com", to: "blog").last == "www.example.com")
            #expect(try await client.removeDomain("*.example.com", from: "blog") == ["not *.example.com"])
            #expect(try await client.audit().map(\.actor) == ["ada"])
            try await client.destroyApplication("blog")
            #expect(server.platform.state.withLock { $0.created } == ["shop by ada"])
            #expect(server.platform.state.withLock { $0.destroyed } == ["blog"])
        }
    }

    @Test(arguments: ["tar", "tar.gz", "tar.zst"])
    func `gives the files of a release as an archive`(format: String) async throws {
        try await withServer { server in
            try await withTemporaryDirectory { directory in
                try String(repeating: "x", count: 1 << 20).write(
                    toFile: directory.appending("large").string, atomically: true, encoding: .utf8)
                server.platform.state.withLock { $0.tree = directory }
                let received = Mutex<[UInt8]>([])
                try await server.client("deploy-token").archive(of: 2, of: "blog", format: format) { bytes in
                    received.withLock { $0 += bytes }
                }
                var expected: [UInt8] = []
                let compression = try #require(TreeArchiver.Compression(fileName: "." + format))
                for try await bytes in TreeArchiver(compression: compression).archive(directory) { expected += bytes }
                #expect(received.withLock { $0 } == expected)
                let head = try await server.send("GET", "/api/v1/apps/blog/releases/2/archive?format=zip")
                #expect(head.status == 400)
            }
        }
    }

    @Test func `breaks an archive off that cannot be made to its end`() async throws {
        try await withServer { server in
            try await withTemporaryDirectory { directory in
                // A FIFO is nothing that an archive could hold.
                try String(repeating: "x", count: 4 << 20).write(
                    toFile: directory.appending("large").string, atomically: true, encoding: .utf8)
                try #require(mkfifo(directory.appending("pipe").string, 0o600) == 0)
                server.platform.state.withLock { $0.tree = directory }
                let error = await #expect(throws: ClientError.self) {
                    try await server.client().archive(of: 2, of: "blog", format: "tar") { _ in }
                }
                #expect(error?.code == .interrupted)
            }
        }
    }

    @Test func `passes a problem of the platform on in its own words`() async throws {
        try await withServer { server in
            let problem = await #expect(throws: Problem.self) {
                _ = try await server.client().application(named: "nothing")
            }
            #expect(problem?.status == 404)
            #expect(problem?.type == "not-found")
            #expect(problem?.detail == "there is no application nothing")
        }
    }

    @Test(arguments: [
        ("GET", "/api/v1/apps", nil, 401), ("GET", "/api/v1/apps", "wrong", 401),
        ("GET", "/api/v1/apps", "read-token", 200), ("GET", "/api/v1/apps/blog/config", "read-token", 403),
        ("GET", "/api/v1/apps/blog/config", "deploy-token", 200),
        ("PUT", "/api/v1/apps/blog/maintenance", "read-token", 403),
        ("POST", "/api/v1/apps", "deploy-token", 403),
        ("DELETE", "/api/v1/apps/blog?confirm=blog", "deploy-token", 403),
        ("GET", "/healthz", nil, 200), ("GET", "/readyz", nil, 200), ("GET", "/metrics", nil, 200),
        ("GET", "/", nil, 200), ("HEAD", "/healthz", nil, 200), ("GET", "/api/openapi.json", nil, 200),
        ("GET", "/nowhere", "admin-token", 404), ("PUT", "/api/v1/apps", "admin-token", 404),
        ("GET", "/api/v1/apps/blog/deployments/0", "admin-token", 400),
        ("GET", "/api/v1/apps/blog/deployments/x", "admin-token", 400),
        ("GET", "/api/v1/apps/a%20b", "admin-token", 404), ("GET", "/api/v1/apps/blog/logs?n=-1", "admin-token", 400),
        ("GET", "/api/v1/apps/blog/certs", "read-token", 200), ("GET", "/api/v1/certs", "read-token", 200),
        ("POST", "/api/v1/apps/blog/certs", "read-token", 403), ("POST", "/api/v1/certs", "deploy-token", 403),
        ("PUT", "/api/v1/apps/blog/releases/2/pin", "read-token", 403), ("GET", "/api/v1/slugs", "read-token", 200),
        ("GET", "/api/v1/apps/blog/releases/2/archive", "read-token", 403),
        ("GET", "/api/v1/apps/blog/releases/2/archive", "deploy-token", 409),
        ("GET", "/api/v1/apps/blog/releases/2/diff", "read-token", 403),
        ("GET", "/api/v1/apps/blog/releases/2/diff?from=x", "deploy-token", 400),
        ("POST", "/api/v1/slugs/verify", "deploy-token", 403), ("POST", "/api/v1/slugs/collect", "deploy-token", 403),
        ("DELETE", "/api/v1/certs/*.example.com", "deploy-token", 403),
        ("PATCH", "/api/v1/apps/blog/https", "read-token", 403), ("GET", "/api/v1/apps/blog/https", "read-token", 200),
        ("DELETE", "/api/v1/apps/blog", "admin-token", 400),
        ("DELETE", "/api/v1/apps/blog?confirm=shop", "admin-token", 400),
    ])
    func `answers with the right status`(method: String, path: String, token: String?, status: Int) async throws {
        try await withServer { server in
            let answer = try await server.send(method, path, token: token)
            #expect(answer.status == status)
            if status >= 400 {
                #expect(answer.headers["content-type"] == "application/problem+json")
                #expect(answer.body.contains("\"detail\""))
            }
            if status == 401 { #expect(answer.headers["www-authenticate"] == "Bearer realm=\"slipway\"") }
        }
    }

    @Test(arguments: [
        ("{}", "The body has no member `name`."), ("{\"name\": 1}", "The member `name` is not a string."),
        ("{\"name\": null}", "The member `name` must not be null."), ("[]", "The body is not a JSON object."),
        ("name", "The body is not JSON."), ("", "The body is not JSON."),
    ])
    func `says which member of a body is wrong`(body: String, detail: String) async throws {
        try await withServer { server in
            let answer = try await server.send("POST", "/api/v1/apps", body: body)
            #expect(answer.status == 400)
            #expect(answer.body.contains("\"detail\":\"\(detail)\""))
        }
    }

    @Test func `refuses a body over the limit`() async throws {
        try await withServer {
            $0.bodyLimit = 1000
        } _: { server in
            let name = String(repeating: "x", count: 2000)
            let answer = try await server.send("POST", "/api/v1/apps", body: "{\"name\":\"\(name)\"}")
            #expect(answer.status == 413)
        }
    }

    @Test func `takes the token as a password too, but not from pages of other sites`() async throws {
        try await withServer { server in
            let basic = ("Authorization", "Basic YW55OmFkbWluLXRva2Vu")  // any:admin-token
            let own = try await server.send("GET", "/api/v1/apps", token: nil, headers: [basic])
            #expect(own.status == 200)
            let headers = [basic, ("Sec-Fetch-Site", "cross-site")]
            let foreign = try await server.send("GET", "/api/v1/apps", token: nil, headers: headers)
            #expect(foreign.status == 403)
            let push = try await server.send(
                "POST", "/git/blog.git/git-receive-pack", token: nil, headers: headers, body: "0000")
            #expect(push.status == 403)
        }
    }

    @Test func `refuses changes until the platform is ready`() async throws {
        try await withServer { server in
            server.platform.state.withLock { $0.isReady = false }
            #expect(try await server.send("GET", "/readyz", token: nil).status == 503)
            #expect(try await server.send("GET", "/healthz", token: nil).status == 200)
            #expect(try await server.send("GET", "/api/v1/apps").status == 200)
            let answer = try await server.send("POST", "/api/v1/apps", body: "{\"name\":\"shop\"}")
            #expect(answer.status == 503)
            #expect(answer.headers["retry-after"] == "1")
        }
    }

    @Test func `carries out a change once for one idempotency key`() async throws {
        try await withServer { server in
            func create(_ name: String, key: String) async throws -> (Int, String) {
                let answer = try await server.send(
                    "POST", "/api/v1/apps", headers: [("Idempotency-Key", key)], body: "{\"name\":\"\(name)\"}")
                return (answer.status, answer.body)
            }
            let first = try await create("shop", key: "1")
            #expect(first.0 == 201)
            #expect(try await create("shop", key: "1") == first)
            #expect(try await create("blog", key: "1").0 == 422)
            #expect(try await create("shop", key: "2").0 == 201)
            #expect(server.platform.state.withLock { $0.created.count } == 2)
        }
    }

    @Test func `gives the dashboard a policy under which only its own script runs`() async throws {
        try await withServer { server in
            let first = try await server.send("GET", "/", token: nil)
            let policy = try #require(first.headers["content-security-policy"])
            #expect(policy.contains("default-src 'none'"))
            let nonce = try #require(policy.split(separator: "'").first { $0.hasPrefix("nonce-") }?.dropFirst(6))
            #expect(first.body.contains("<script type=\"module\" nonce=\"\(nonce)\">"))
            #expect(!first.body.contains("innerHTML"))
            let second = try await server.send("GET", "/", token: nil)
            #expect(second.headers["content-security-policy"] != policy)
        }
    }

    @Test func `describes exactly the routes that there are`() async throws {
        try await withServer { server in
            let routes = APIServer(
                platform: server.platform, configuration: .init(uploadDirectory: server.uploads),
                logger: .init(label: "test")
            ).router(
                uploads: UploadReceiver(directory: server.uploads, limit: 1, threadPool: .singleton)
            ).routes
            let served = Set(
                routes.filter { $0.path.description.hasPrefix("/api/v1") && $0.method != .head }.map {
                    "\($0.method.rawValue.lowercased()) \($0.path.description.dropFirst("/api/v1".count))"
                })
            let described = OpenAPIDocument.operations.map { operation in
                let path = operation.path.replacing(/\{([a-z]+)\}/) { "{\($0.1)}" }
                return "\(operation.method) \(path)"
            }
            #expect(served == Set(described))
            for operation in OpenAPIDocument.operations {
                if let body = operation.body, body != "archive" { #expect(OpenAPIDocument.schemas[body] != nil) }
            }
        }
    }
}
