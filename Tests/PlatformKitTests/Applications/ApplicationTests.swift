import Foundation
import GitReceiver
import PlatformKitTesting
import PlatformWire
import SlugStore
import SystemPackage
import TestSupport
import Testing

@testable import PlatformKit

@Suite(.timeLimit(.minutes(1))) struct ApplicationTests {
    static let longest = String(repeating: "a", count: 63)

    @Test(arguments: ["a", "blog", "my-blog-2", "0", ApplicationTests.longest])
    func `takes a name that is a label of a host`(name: String) async throws {
        try await withPlatform { host in
            let application = try await host.create(name)
            #expect(application.domains == ["\(name).localhost"])
        }
    }

    @Test(arguments: [
        "", "-a", "a-", "Blog", "a.b", "a_b", "a b", "a/b", "..", "größe", "a\n", "a\0", ApplicationTests.longest + "a",
    ])
    func `refuses any other name`(name: String) async throws {
        try await withPlatform { host in
            await expect(.invalid) { try await host.create(name) }
            try await host.create()
            await expect(.invalid) { try await host.platform.renameApplication("blog", to: name, by: Harness.ada) }
        }
    }

    @Test func `a name is taken once`() async throws {
        try await withPlatform {
            $0.maxApplications = 2
        } _: { host in
            try await host.create("one")
            await expect(.conflict, "there is an application one already") { try await host.create("one") }
            try await host.create("two")
            await expect(.limit) { try await host.create("three") }
            await expect(.conflict) { try await host.platform.renameApplication("one", to: "two", by: Harness.ada) }
            await expect(.notFound) { try await host.platform.renameApplication("none", to: "x", by: Harness.ada) }
        }
    }

    @Test func `a renamed application is found under its new host, without a restart`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy()
            host.runtime.forgetRecords()
            let renamed = try await host.platform.renameApplication("blog", to: "journal", by: Harness.ada)
            #expect(renamed.domains == ["journal.localhost"])
            #expect(host.runtime.snapshot.routes.values.map(\.hosts) == [["journal.localhost"]])
            #expect(host.runtime.snapshot.records == [.route(["web.1@v1"])])
            await expect(.notFound) { try await host.live("blog") }
            try await host.deploy("journal")
            #expect(host.runtime.snapshot.requests.last?.environment["SLIPWAY_APP"] == "journal")
        }
    }

    @Test func `maintenance changes the route and nothing else`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy()
            host.runtime.forgetRecords()
            #expect(try await host.platform.setMaintenance(true, of: "blog", by: Harness.ada).maintenance)
            #expect(host.runtime.snapshot.routes.values.map(\.maintenance) == [true])
            #expect(try await !host.platform.setMaintenance(false, of: "blog", by: Harness.ada).maintenance)
            #expect(host.runtime.snapshot.routes.values.map(\.maintenance) == [false])
            #expect(host.runtime.snapshot.records == [.route(["web.1@v1"]), .route(["web.1@v1"])])
        }
    }

    // MARK: Destroying

    @Test func `a destroyed application leaves nothing`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy()
            _ = try await host.platform.addDomain("www.example.com", to: "blog", by: Harness.ada)
            try await host.platform.destroyApplication("blog", by: Harness.ada)
            #expect(host.runtime.snapshot.instances.isEmpty)
            #expect(host.runtime.snapshot.routes.isEmpty)
            #expect(!host.platform.gitServer.repositoryExists("blog"))
            while try await !host.slugs.list().isEmpty { await Task.yield() }
            await expect(.notFound) { try await host.live() }
            // Name and host are free again.
            try await host.create()
            _ = try await host.platform.addDomain("www.example.com", to: "blog", by: Harness.ada)
            #expect(try await host.live() == nil)
        }
    }

    @Test func `a slug that another application runs stays`() async throws {
        try await withPlatform { host in
            for name in ["one", "two"] {
                try await host.create(name)
                try await host.deploy(name)
            }
            try await host.platform.destroyApplication("one", by: Harness.ada)
            #expect(try await host.slugs.list().count == 1)
        }
    }

    @Test func `an application is not destroyed while a one-off of it does not end`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy()
            let (oneOff, read) = await host.heldOneOff()
            let sleepers = host.clock.sleeperCount
            let destruction = Task { try await host.platform.destroyApplication("blog", by: Harness.ada) }
            await host.clock.sleepers(atLeast: sleepers + 1)
            // Another would open the door again to what the first one waits for.
            await expect(.conflict, "blog is being destroyed already") {
                try await host.platform.destroyApplication("blog", by: Harness.ada)
            }
            await expect(.notFound, "blog is being destroyed") {
                try await host.platform.runOneOff(
                    OneOffRequest(command: ["report"]), of: "blog", by: Harness.ada, session: OneOffSession { _ in })
            }
            host.clock.advance(by: .seconds(45))
            await expect(.conflict, "run.1 of blog was told to end, and has not within") { try await destruction.value }
            #expect(try await host.live() == 1)
            #expect(host.runtime.snapshot.routed == ["web.1@v1"])
            read.finish()
            _ = try? await oneOff.value
            try await host.platform.destroyApplication("blog", by: Harness.ada)
            #expect(host.runtime.snapshot.instances.isEmpty)
        }
    }

    @Test func `an application is not destroyed while another change of it does not end`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy()
            let id = try await host.platform.find("blog").id
            let (holding, hold) = AsyncStream<Never>.makeStream()
            let (taking, take) = AsyncStream<Void>.makeStream()
            let change = Task {
                try await host.platform.queue(of: id).withTurn {
                    take.yield()
                    for await _ in holding {}
                }
            }
            for await _ in taking { break }
            let sleepers = host.clock.sleeperCount
            let destruction = Task { try await host.platform.destroyApplication("blog", by: Harness.ada) }
            await host.clock.sleepers(atLeast: sleepers + 1)
            host.clock.advance(by: .seconds(45))
            await expect(.conflict, "has not ended within") { try await destruction.value }
            #expect(host.runtime.snapshot.routed == ["web.1@v1"])
            hold.finish()
            try await change.value
            try await host.platform.destroyApplication("blog", by: Harness.ada)
            #expect(host.runtime.snapshot.instances.isEmpty)
        }
    }

    @Test func `destroying ends a deployment that is under way`() async throws {
        try await withPlatform { host in
            try await host.create()
            host.runtime.script { _ in .staysStarting }
            let deployment = Task { try await host.deploy() }
            await host.runtime.wait { $0.id(of: "web.1") != nil }
            try await host.platform.destroyApplication("blog", by: Harness.ada)
            await expect(.cancelled, "destroyed") { _ = try await deployment.value }
            await host.runtime.wait { $0.instances.isEmpty && $0.routes.isEmpty }
        }
    }

    @Test func `an instance whose process comes to exist while its application is destroyed goes too`() async throws {
        try await withPlatform { host in
            try await host.create()
            host.runtime.holdStarts(true)
            let deployment = Task { try await host.deploy() }
            await host.runtime.wait { $0.records.contains(.start("web.1@v1")) }
            let destruction = Task { try await host.platform.destroyApplication("blog", by: Harness.ada) }
            await expect(.cancelled) { _ = try await deployment.value }
            host.runtime.holdStarts(false)
            try await destruction.value
            #expect(host.runtime.snapshot.instances.isEmpty)
            #expect(host.runtime.snapshot.routes.isEmpty)
        }
    }

    // MARK: Hosts

    @Test func `a host leads to one application`() async throws {
        try await withPlatform { host in
            try await host.create("one")
            try await host.create("two")
            let hosts = try await host.platform.addDomain("WWW.Example.com", to: "one", by: Harness.ada)
            #expect(hosts == ["one.localhost", "www.example.com"])
            #expect(host.runtime.snapshot.routes.values.contains { $0.hosts == hosts })
            for name in ["one", "two"] {
                await expect(.conflict, "www.example.com belongs to one") {
                    try await host.platform.addDomain("www.example.com", to: name, by: Harness.ada)
                }
            }
            await expect(.conflict, "follow the names") {
                try await host.platform.addDomain("three.localhost", to: "one", by: Harness.ada)
            }
            await expect(.notFound, "two does not have") {
                try await host.platform.removeDomain("www.example.com", from: "two", by: Harness.ada)
            }
            #expect(
                try await host.platform.removeDomain("www.EXAMPLE.com", from: "one", by: Harness.ada)
                    == ["one.localhost"])
            _ = try await host.platform.addDomain("www.example.com", to: "two", by: Harness.ada)
        }
    }

    @Test func `an application has so many hosts at most`() async throws {
        try await withPlatform(configure: { $0.maxDomainsPerApplication = 2 }) { host in
            for name in ["one", "two"] { try await host.create(name) }
            for number in 1...2 {
                _ = try await host.platform.addDomain("www\(number).example.com", to: "one", by: Harness.ada)
            }
            await expect(.limit, "one has 2 hosts of its own") {
                try await host.platform.addDomain("www3.example.com", to: "one", by: Harness.ada)
            }
            _ = try await host.platform.addDomain("www3.example.com", to: "two", by: Harness.ada)
            _ = try await host.platform.removeDomain("www1.example.com", from: "one", by: Harness.ada)
            let hosts = try await host.platform.addDomain("www4.example.com", to: "one", by: Harness.ada)
            #expect(hosts == ["one.localhost", "www2.example.com", "www4.example.com"])
        }
    }

    @Test func `the platform's own domain leads to no application`() async throws {
        try await withPlatform(configure: { $0.domain = "Apps.example.com" }) { host in
            try await host.create("one")
            for name in ["apps.example.com", "APPS.example.com"] {
                await expect(.conflict, "the platform's own domain") {
                    try await host.platform.addDomain(name, to: "one", by: Harness.ada)
                }
            }
            await expect(.conflict, "follow the names") {
                try await host.platform.addDomain("two.apps.example.com", to: "one", by: Harness.ada)
            }
            _ = try await host.platform.addDomain("myapps.example.com", to: "one", by: Harness.ada)
        }
    }

    @Test func `a name whose host another application has from before is not to be had`() async throws {
        try await withPlatform { host in
            for name in ["one", "two"] { try await host.create(name) }
            let owner = try await host.platform.find("one")
            // The platform had another domain then.
            try await host.store.write { try $0.insert(DomainRecord(host: "three.localhost", applicationID: owner.id)) }
            await expect(.conflict, "three.localhost belongs to another") {
                try await host.platform.renameApplication("two", to: "three", by: Harness.ada)
            }
            await expect(.conflict, "three.localhost belongs to another") {
                try await host.platform.createApplication(named: "three", by: Harness.ada)
            }
            #expect(try await host.platform.renameApplication("one", to: "three", by: Harness.ada).name == "three")
        }
    }

    @Test(arguments: [
        "", "localhost", ".", "a.", ".a", "a..b", "a b.example.com", "a_b.example.com", "a{b.example.com",
        "a\u{7f}.example.com", "-a.example.com", "a-.example.com", "*.example.com", "größe.example.com",
        "example.com:80", "example.com/x", "192.0.2.1", "a.7", ApplicationTests.longest + "a.example.com",
        Array(repeating: ApplicationTests.longest, count: 4).joined(separator: "."),
    ])
    func `refuses what is no host`(name: String) async throws {
        try await withPlatform { host in
            try await host.create()
            await expect(.invalid) { try await host.platform.addDomain(name, to: "blog", by: Harness.ada) }
        }
    }

    // MARK: Variables

    @Test(arguments: [
        "", "1A", "A-B", "A B", "A=B", "Ä", "A\n", "PORT", "SLIPWAY_APP", String(repeating: "A", count: 256),
    ])
    func `refuses what is no name of a variable`(name: String) async throws {
        try await withPlatform { host in
            try await host.create()
            await expect(.invalid) { try await host.set([name: "1"]) }
        }
    }

    @Test func `a config has limits`() async throws {
        try await withPlatform {
            $0.maxConfigBytes = 10
        } _: { host in
            try await host.create()
            try await host.set(["A": "123456789"])
            await expect(.limit, "11 bytes") { try await host.set(["A": "1234567890"]) }
            // No process can be given such a value.
            await expect(.invalid, "A") { try await host.set(["A": "1\u{0}2"]) }
            #expect(try await host.platform.config(of: "blog") == ["A": "123456789"])
            try await host.set(["_a1": "", "A": nil])
            #expect(try await host.platform.config(of: "blog") == ["_a1": ""])
        }
    }

    // MARK: Access

    @Test func `a token is known by its digest alone`() async throws {
        try await withPlatform { host in
            let rita = Principal(name: "rita", role: .read)
            try await host.platform.register(token: "secret", for: rita)
            #expect(try await host.platform.authenticate(token: "secret") == rita)
            for token in ["", "Secret", "secret ", "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"] {
                await expect(.unauthorised) { try await host.platform.authenticate(token: token) }
            }
            // Registered again, it is the new owner's.
            try await host.platform.register(token: "secret", for: Principal(name: "rita", role: .deploy))
            #expect(try await host.platform.authenticate(token: "secret").role == .deploy)
        }
        #expect(Role.read < .deploy && Role.deploy < .admin)
    }

    @Test func `says who did what, the newest first, and never a value`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.set(["TOKEN": "hidden-value"])
            try await host.deploy()
            try await host.scale(["web": 2])
            try await host.restart("web.1")
            try await host.deploy()
            try await host.rollback()
            _ = try await host.platform.setMaintenance(true, of: "blog", by: Harness.ada)
            _ = try await host.platform.renameApplication("blog", to: "journal", by: Harness.ada)
            try await host.platform.destroyApplication("journal", by: Harness.ada)
            let entries = try await host.platform.audit(limit: 100)
            #expect(
                entries.reversed().map(\.action) == [
                    "app.create", "config.set", "deploy", "ps.scale", "ps.restart", "deploy", "rollback", "maintenance",
                    "app.rename", "app.destroy",
                ])
            #expect(entries.allSatisfy { $0.actor == "ada" && !$0.detail.contains("hidden-value") })
            #expect(entries.first?.application == "journal")
            #expect(try await host.platform.audit(limit: 2).map(\.action) == ["app.destroy", "app.rename"])
            #expect(try await host.platform.audit(limit: -1).isEmpty)
        }
    }
}
