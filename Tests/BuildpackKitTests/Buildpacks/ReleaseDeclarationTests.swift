import Testing

@testable import BuildpackKit

struct ReleaseDeclarationTests {
    @Test(arguments: [
        ("", []), ("---", []), ("--- {}", []), ("addons: []", []), ("default_process_types: {}", []),
        ("just text", []), ("- a\n- b", []),
        (
            "---\naddons: []\ndefault_process_types:\n  web: npm start\n  worker: \"a: b\"\n",
            [ProcessType(name: "web", command: "npm start"), ProcessType(name: "worker", command: "a: b")]
        ),
    ])
    func `reads what real packs print`(text: String, expected: [ProcessType]) throws {
        #expect(try ReleaseDeclaration(parsing: text).processTypes == expected)
    }

    @Test func `text that is no YAML is an error`() {
        #expect(throws: BuildError.self) { try ReleaseDeclaration(parsing: "a: [unclosed") }
    }
}
