import BuildpackKit
import Testing

struct ProcfileTests {
    @Test(arguments: [
        ("web: gunicorn app:app", [("web", "gunicorn app:app")]),
        ("web:echo foo: bar", [("web", "echo foo: bar")]),
        ("web: a\r\nworker: b\r\n", [("web", "a"), ("worker", "b")]),
        ("# comment\n\n  web: a  \n\t# another\nmy-worker_2: b\n", [("web", "a"), ("my-worker_2", "b")]),
        (
            "release: ./migrate && echo \"done\"\nweb: run --port $PORT # not a comment\n",
            [("release", "./migrate && echo \"done\""), ("web", "run --port $PORT # not a comment")]
        ),
        ("\u{FEFF}web: a", [("web", "a")]),
    ])
    func `declares types in the order of the file`(text: String, expected: [(String, String)]) throws {
        let procfile = try Procfile(parsing: text)
        #expect(procfile.processTypes == expected.map { ProcessType(name: $0.0, command: $0.1) })
    }

    @Test(arguments: [
        ("web gunicorn app:app", "line 1: `web gunicorn app` is no name"),
        ("web: a\njust words", "line 2: expected `NAME: COMMAND`, found `just words`"),
        ("web:", "line 1: process type `web` has no command"),
        ("web: a\n\nweb: b", "line 3: process type `web` is declared already on line 1"),
        ("web: a \\\n  --more", "line 1: the command of `web` ends with a backslash"),
        ("wéb: a", "line 1: `wéb` is no name"),
        (": a", "line 1: `` is no name"),
        ("# nothing\n", "declares no process type"),
        (String(repeating: "w", count: 64) + ": a", "longer than 63 bytes"),
        ((0...100).map { "t\($0): a" }.joined(separator: "\n"), "more than 100 process types"),
    ])
    func `says which line is wrong and why`(text: String, message: String) throws {
        let error = try #require(throws: BuildError.self) { try Procfile(parsing: text) }
        #expect(error.code == .invalidProcfile)
        #expect(error.message.contains(message), "\(error.message)")
    }
}
