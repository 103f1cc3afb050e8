import BuildpackKit
import ProcessSupervisor
import Testing

@testable import PlatformKit

/// From `app.json` to what the supervisor is told.
@Suite struct LifeMappingTests {
    @Test func `everything that app.json says reaches the supervisor`() throws {
        let life = try self.life(
            "web",
            #"""
            {"healthchecks": {"web": [
              {"type": "startup", "command": ["./up", "it's"], "initialDelay": 10, "attempts": 20, "wait": 6, "timeout": 4},
              {"type": "readiness", "path": "/ready", "content": "ok", "initialDelay": 5, "successes": 2,
               "status": [200, "401-404"],
               "httpHeaders": [{"name": "Host", "value": "a.example"}]},
              {"type": "liveness", "listening": true, "attempts": 9, "wait": 0, "timeout": 2}]},
             "formation": {"web": {"stopSignal": "QUIT", "stopGrace": 90, "singleton": true, "preStop": "./leave",
               "postStart": "./greet", "recycle": {"after": 3600, "memory": "1G"},
               "output": {"rate": "1M", "burst": "2M", "excess": "drop"}}}}
            """#)
        let spec = self.spec(life, grace: .seconds(90))
        #expect(spec.bootTimeout == .seconds(10 + 5 + 20 * 10), "attempts may take longer than the platform's time")
        guard case .probe(let startup) = spec.startup, case .command(let words) = startup.check else {
            Issue.record("no startup command: \(spec)")
            return
        }
        #expect(words.last == #"'./up' 'it'\''s'"#)
        #expect(startup.initialDelay == .seconds(10))
        #expect(
            spec.readiness?.check
                == .http(
                    path: "/ready", headers: ["Host": "a.example"], expectedStatus: StatusSet(200..<201, 401..<405),
                    host: nil, bodyContains: "ok"))
        #expect(spec.readiness?.successThreshold == 2 && spec.liveness?.successThreshold == 1)
        #expect(spec.liveness?.check == .tcp)
        #expect(spec.liveness?.failureThreshold == 9 && spec.liveness?.interval == .seconds(1))
        #expect(spec.stop == StopPolicy(signal: 3, grace: .seconds(90)))
        #expect(spec.singleton == "app/web")
        #expect(spec.recycling == RecyclePolicy(maxAge: .seconds(3600), memoryBytes: 1 << 30))
        #expect(spec.preStop?.arguments.last == "./leave" && spec.preStop?.timeout == .seconds(90))
        #expect(spec.postStart?.arguments.last == "./greet")
        #expect(spec.output == OutputPolicy(bytesPerSecond: 1 << 20, burstBytes: 2 << 20, excess: .drop))
    }

    @Test func `an instance may tell by a descriptor that it has started up, and no port is asked for that`() throws {
        let manifest = #"{"healthchecks": {"worker": [{"descriptor": 3, "attempts": 60}]}}"#
        let life = try self.life("worker", manifest)
        #expect(!life.asksPort)
        let spec = self.spec(life, grace: .seconds(30))
        #expect(spec.startup == .notification(descriptor: 3))
        #expect(spec.bootTimeout == .seconds(60 * 10))
        #expect(spec.output == OutputPolicy())
    }

    @Test func `nothing said is a terminate signal, the platform's times, and no question`() throws {
        let spec = self.spec(try self.life("worker", "{}"), grace: .seconds(30))
        #expect(spec.startup == nil && spec.readiness == nil && spec.liveness == nil && spec.recycling == nil)
        #expect(spec.output == OutputPolicy())
        #expect(spec.bootTimeout == .seconds(60) && spec.stop == StopPolicy() && spec.singleton == nil)
    }

    @Test(arguments: [
        (#"{"type": "readiness", "path": "/up"}"#, true), (#"{"listening": true}"#, true), ("{}", true),
        (#"{"command": ["./up"]}"#, false), (#"{"uptime": 5}"#, false),
    ])
    func `a type gets a port when one of its checks asks one`(check: String, expected: Bool) throws {
        #expect(try self.life("worker", #"{"healthchecks": {"worker": [\#(check)]}}"#).asksPort == expected)
    }

    @Test func `what has no effect is told to whoever deploys it`() throws {
        let manifest = try AppManifest(
            parsing: #"""
                {"healthchecks": {"web": [
                  {"path": "/a", "port": 80, "scheme": "https"}, {"path": "/b"}, {"type": "liveness", "uptime": 5}]}}
                """#)
        #expect(
            manifest.notes(on: ["web", "worker"]) == [
                "healthchecks.web[0]: port is ignored; instances are asked at their $PORT",
                "healthchecks.web[0]: scheme https is ignored; instances are asked by http",
                "healthchecks.web[1] is ignored: it is the second check of the type startup",
                "healthchecks.web[2]: uptime is ignored; use initialDelay",
            ])
    }

    private func life(_ type: String, _ manifest: String) throws -> LifeRecord {
        let lives = try AppManifest(parsing: manifest).life(of: [type, "release"], bootTimeout: .seconds(60))
        #expect(lives.count == 1)
        return try #require(lives[type])
    }

    private func spec(_ life: LifeRecord, grace: Duration) -> InstanceSpec {
        let request = WorkloadRequest(
            applicationID: "app", processType: "web", number: 1, release: 1, serial: 1, slug: "",
            command: .shell("run"),
            environment: [:], life: life, needsPort: true, stopGrace: grace)
        return InstanceSpec(request, process: ProcessSpec(arguments: ["run"], workingDirectory: "/"))
    }
}
