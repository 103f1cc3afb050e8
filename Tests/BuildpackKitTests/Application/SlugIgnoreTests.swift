import BuildpackKit
import Testing

struct SlugIgnoreTests {
    @Test(arguments: [
        ("*.md", "README.md", true),
        ("*.md", "docs/guide.md", true),
        ("*.md", ".hidden.md", false),
        ("docs", "docs", true),
        ("docs", "src/docs", true),
        ("docs/", "docs", true),
        ("docs/", "src/docs", false),
        ("/docs", "src/docs", false),
        ("src/*.c", "src/a.c", true),
        ("src/*.c", "src/deep/a.c", false),
        ("a b # c", "b", true),
        ("a b # c", "c", false),
        ("# comment\n\r\n*.log\r\n", "x.log", true),
        (".env", "conf/.env", true),
        ("../secrets", "secrets", false),
        ("", "anything", false),
    ])
    func `matches as Heroku does`(patterns: String, path: String, expected: Bool) {
        #expect(SlugIgnore(parsing: patterns).matches(path) == expected)
    }
}
