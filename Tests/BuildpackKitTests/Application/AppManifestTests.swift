import BuildpackKit
import Foundation
import Testing

struct AppManifestTests {
    private static let example = """
        {
          "name": "guestbook",
          "stack": "heroku-24",
          "env": {
            "PLAIN": "value",
            "SECRET": { "description": "a key", "generator": "secret" },
            "OPTIONAL": { "required": false },
            "NUMBER": { "value": 5 }
          },
          "formation": { "web": { "quantity": 2, "size": "standard-1x" }, "worker": {} },
          "addons": ["postgresql", { "plan": "redis", "as": "CACHE" }],
          "buildpacks": [{ "url": "heroku/python" }, "nodejs"],
          "scripts": { "postdeploy": "./seed", "dokku": { "predeploy": "./check" } },
          "healthchecks": {
            "web": [
              { "type": "readiness", "path": "/healthz", "attempts": 5, "timeout": 2, "wait": 1, "initialDelay": 3,
                "httpHeaders": [{ "name": "Host", "value": "example.org" }], "unknown": [1, 2] },
              { "type": "startup", "command": ["./ready", "--now"], "uptime": 10 },
              { "listening": true, "port": 8080 }
            ]
          },
          "cron": [{ "command": "./nightly", "schedule": "0 3 * * *" }]
        }
        """

    @Test func `reads what Heroku and Dokku have in it`() throws {
        let manifest = try AppManifest(parsing: Self.example)
        #expect(manifest.name == "guestbook")
        #expect(manifest.env["PLAIN"]?.value == "value")
        #expect(manifest.env["SECRET"]?.generatesSecret == true)
        #expect(manifest.env["OPTIONAL"] == AppManifest.Variable(isRequired: false))
        #expect(manifest.env["NUMBER"]?.value == "5")
        #expect(manifest.formation["web"] == AppManifest.Formation(quantity: 2, size: "standard-1x"))
        #expect(manifest.formation["worker"]?.quantity == nil)
        #expect(manifest.addons == [.init(plan: "postgresql"), .init(plan: "redis", name: "CACHE")])
        #expect(manifest.buildpacks == ["heroku/python", "nodejs"])
        #expect(manifest.scripts == .init(predeploy: "./check", postdeploy: "./seed"))
        #expect(manifest.cron == [.init(command: "./nightly", schedule: "0 3 * * *")])
        let checks = try #require(manifest.healthchecks["web"])
        #expect(
            checks[0]
                == .init(
                    type: .readiness, path: "/healthz", httpHeaders: ["Host": "example.org"], timeout: 2, attempts: 5,
                    wait: 1, initialDelay: 3))
        #expect(checks[1].command == ["./ready", "--now"])
        #expect(checks[1].uptime == 10)
        #expect(checks[2].type == .startup)
        #expect(checks[2].listening && checks[2].port == 8080 && checks[2].attempts == 3)
    }

    @Test func `reads how the instances of a type live and end`() throws {
        let manifest = try AppManifest(
            parsing: #"""
                {"formation": {"worker": {
                  "quantity": 1, "stopSignal": "int", "stopGrace": 3600, "singleton": true,
                  "recycle": {"after": 86400, "memory": "400M"}, "preStop": "./leave", "postStart": "./greet $PORT",
                  "output": {"rate": "1M", "burst": "1G", "excess": "drop"}
                }, "clock": null}}
                """#)
        #expect(
            manifest.formation["worker"]
                == .init(
                    quantity: 1, stopSignal: .interrupt, stopGrace: 3600, singleton: true,
                    recycle: .init(after: 86400, memory: 400 << 20), preStop: "./leave", postStart: "./greet $PORT",
                    output: .init(rate: 1 << 20, burst: 1 << 30, drops: true)))
        #expect(manifest.formation["clock"] == .init())
    }

    @Test(arguments: [
        (#""stopSignal": "SIGKILL""#, #"worker.stopSignal: "SIGKILL" is no signal to stop with; use one of SIGTERM,"#),
        (#""stopGrace": 86401"#, "worker.stopGrace: expected a whole number from 0 to 86400"),
        (#""singleton": 1"#, "worker.singleton: expected true or false, found"),
        (#""singleton": true, "quantity": 2"#, "worker.quantity: of a singleton there is one instance at most, not 2"),
        (#""recycle": 60"#, "worker.recycle: expected an object"),
        (#""recycle": {"after": 59}"#, "worker.recycle.after: expected a whole number from 60 to 31536000"),
        (#""recycle": {"memory": "400"}"#, #"worker.recycle.memory: expected an amount of memory such as "400M""#),
        (
            #""recycle": {"memory": "0G"}"#,
            #"worker.recycle.memory: expected an amount of memory such as "400M" or "2G", found "0G""#
        ),
        (#""output": {"rate": "2G"}"#, "worker.output.rate: expected 1G at most"),
        (#""output": {"excess": "lose"}"#, #"worker.output.excess: "lose" is nothing to do with what is too much"#),
        (#""preStop": " ""#, "worker.preStop: expected a command"),
        (#""postStart": ["./a"]"#, "worker.postStart: expected a string, found an array"),
    ])
    func `names the line and the place of a mistake in a formation`(members: String, message: String) throws {
        let text = "{\"formation\": {\n\"worker\": {\n\(members)}}}"
        let error = try #require(throws: BuildError.self) { try AppManifest(parsing: text) }
        #expect(error.message.contains("line 3: formation.\(message)"), "\(error.message)")
    }

    @Test func `reads what a check expects`() throws {
        let manifest = try AppManifest(
            parsing: #"""
                {"healthchecks": {"web": [
                  {"type": "startup", "descriptor": 3},
                  {"type": "readiness", "status": [204, "401-403"], "successes": 5}]}}
                """#)
        #expect(
            manifest.healthchecks["web"] == [
                .init(descriptor: 3), .init(type: .readiness, successes: 5, statuses: [204...204, 401...403]),
            ])
    }

    @Test(arguments: [
        (#""path": "up""#, #"[0].path: expected a path that begins with "/""#),
        (#""path": "/a b""#, "has no blanks"),
        (#""httpHeaders": [{"name": "A:", "value": "x"}]"#, "[0].httpHeaders[0]: expected a header's name"),
        (#""httpHeaders": [{"name": "A", "value": "x\r\nB: y"}]"#, "without line ends"),
        (#""command": ["", "a"]"#, "[0].command: the first word is the program"),
        (#""status": [99]"#, #"[0].status[0]: expected a status such as 204, or a range of them such as "200-299""#),
        (#""status": [200, "299-200"]"#, "[0].status[1]: expected a status"),
        (#""status": ["200-"]"#, "[0].status[0]: expected a status"),
        (#""status": [200], "command": ["a"]"#, "[0].status: a command has no HTTP status"),
        (#""successes": 0"#, "[0].successes: expected a whole number from 1 to 1000"),
        (#""descriptor": 2"#, "[0].descriptor: expected a whole number from 3 to 255"),
        (#""descriptor": 3, "type": "liveness""#, "[0].descriptor: it is all that a check of the type startup asks"),
        (#""descriptor": 3, "path": "/up""#, "[0].descriptor: it is all that a check of the type startup asks"),
    ])
    func `names the place of a check that cannot be asked`(members: String, message: String) throws {
        let text = "{\"healthchecks\": {\"web\": [{\(members)}]}}"
        let error = try #require(throws: BuildError.self) { try AppManifest(parsing: text) }
        #expect(error.message.contains(message), "\(error.message)")
    }

    @Test func `survives being stored`() throws {
        let manifest = try AppManifest(parsing: Self.example)
        let stored = try JSONEncoder().encode(manifest)
        #expect(try JSONDecoder().decode(AppManifest.self, from: stored) == manifest)
    }

    @Test(arguments: ["{}", "{ \"whatever\": [null, {\"a\": 1e3}], \"env\": null }", "\u{FEFF}{}"])
    func `is empty when nothing known is in it`(text: String) throws {
        #expect(try AppManifest(parsing: text) == AppManifest())
    }

    @Test(arguments: [
        ("", "line 1: expected a value, found the end of the file"),
        ("{\n  \"name\": \"x\",\n}", "line 3: expected a key in double quotes, found `}`"),
        ("{\n  \"env\": {\n    \"A\": 1 \"B\"\n", "line 3: expected `,` or `}` after the value of \"A\""),
        ("{\n \"name\": 'x'}", "line 2: expected a value, found `'`"),
        ("{ \"name\": \"x\n\" }", "closing quote"),
        ("{} {}", "expected the end of the file"),
        ("[]", "line 1: the file must hold an object, and holds an array"),
        (
            "{\n\"formation\": {\n\"web\": {\n\"quantity\": \"2\" } } }",
            "line 4: formation.web.quantity: expected a whole number from 0 to 1000"
        ),
        ("{\"formation\": {\"web\": {\"quantity\": 1.5}}}", "expected a whole number"),
        ("{\"env\": {\"A\": [1]}}", "env.A: expected a string or an object"),
        ("{\"env\": {\"A\": {\"generator\": \"uuid\"}}}", "the only generator is \"secret\""),
        ("{\"healthchecks\": {\"web\": {}}}", "healthchecks.web: expected an array, found an object"),
        (
            "{\"healthchecks\": {\"web\": [\n{\"type\": \"alive\"}]}}",
            "line 2: healthchecks.web[0]: \"alive\" is no type of health check"
        ),
        ("{\"cron\": [{\"command\": \"x\"}]}", "cron[0]: \"schedule\" is missing"),
        ("{\"cron\": [\"x\"]}", "cron[0]: expected an object, found a string"),
        ("{\"buildpacks\": [{}]}", "buildpacks[0]: \"url\" is missing"),
        (String(repeating: "[", count: 100), "nested more than 64 deep"),
    ])
    func `names the line and the place of a mistake`(text: String, message: String) throws {
        let error = try #require(throws: BuildError.self) { try AppManifest(parsing: text) }
        #expect(error.code == .invalidAppManifest)
        #expect(error.message.contains(message), "\(error.message)")
    }

    @Test(arguments: [
        (#"{"name": "a\"b\\c\/d\n\t\u0041\u00e9"}"#, "a\"b\\c/d\n\tAé"),
        (#"{"name": "\ud83d\ude00"}"#, "😀"),
        (#"{"name": "\ud83d"}"#, "\u{FFFD}"),
        (#"{"name": "first", "name": "last"}"#, "last"),
    ])
    func `reads every escape of JSON`(text: String, name: String) throws {
        #expect(try AppManifest(parsing: text).name == name)
    }
}
