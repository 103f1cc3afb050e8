import BuildpackKit
import BuildpackKitTesting
import Testing

struct StaticBuildpackTests {
    @Test(arguments: [
        (["index.html": ""], "."), (["public/index.html": ""], "public"),
        (["dist/index.html": "", "index.html": ""], "dist"),
        (["static.json": #"{"root": "./my site/"}"#, "my site/a.html": ""], "'my site'"),
        (["static.json": "{}", "public/index.html": ""], "public"),
    ])
    func `serves the directory that has the site`(files: [String: String], directory: String) async throws {
        try await Workspace.with { workspace in
            try workspace.write(files)
            let result = try await workspace.builder().build(workspace.request(), log: RecordingBuildLog())
            #expect(result.buildpacks == ["static"])
            #expect(
                result.processTypes == [
                    ProcessType(
                        name: "web",
                        command: "exec \"$SLIPWAY_EXECUTABLE\" static-server --port \"$PORT\" \(directory)")
                ])
        }
    }

    @Test(arguments: [#"{"root": "nowhere"}"#, #"{"root": "../.."}"#, "{"])
    func `a static.json that names nothing is an error`(text: String) async throws {
        try await Workspace.with { workspace in
            try workspace.write(["static.json": text])
            let error = await #expect(throws: BuildError.self) {
                try await workspace.builder().build(workspace.request(), log: RecordingBuildLog())
            }
            #expect(error?.code == .invalidSource)
        }
    }
}
