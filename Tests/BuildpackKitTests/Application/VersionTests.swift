import SystemPackage
import Testing

@testable import BuildpackKit

struct VersionTests {
    private static let present = ["3.11.2", "3.9.18", "3.12.1", "3.12.4"].map {
        PythonInterpreter(
            path: FilePath("/usr/bin/python\($0)"), version: SoftwareVersion($0) ?? SoftwareVersion(0, 0, 0))
    }

    @Test(arguments: [
        ("3.12", "3.12.4"), ("3.12.1", "3.12.1"), ("3.12.9", "3.12.4"), ("3", "3.11.2"), ("3.9\n", "3.9.18"),
        ("# why\n\n3.11\r\n", "3.11.2"),
    ])
    func `.python-version chooses an interpreter`(text: String, expected: String) throws {
        let request = try PythonVersionRequest.pythonVersionFile(text)
        #expect(try PythonInterpreter.choose(request, from: Self.present).version.description == expected)
    }

    @Test(arguments: ["", "python-3.11", "3.x", "3.11\n3.12", "3.11.2.1", "pypy3", ">=3.9", "3.12-dev"])
    func `.python-version must hold one version`(text: String) throws {
        let error = try #require(throws: BuildError.self) { try PythonVersionRequest.pythonVersionFile(text) }
        #expect(error.code == .invalidSource)
    }

    @Test(arguments: [("python-3.11.x", "3.11.2"), ("python-3.9.18\n", "3.9.18"), ("python-3.12", "3.12.4")])
    func `runtime.txt chooses an interpreter`(text: String, expected: String) throws {
        let request = try PythonVersionRequest.runtimeFile(text)
        #expect(try PythonInterpreter.choose(request, from: Self.present).version.description == expected)
    }

    @Test func `a Python that is not there is an error that lists those that are`() throws {
        let request = try PythonVersionRequest.pythonVersionFile("3.8")
        let error = try #require(throws: BuildError.self) {
            try PythonInterpreter.choose(request, from: Self.present)
        }
        #expect(error.code == .runtimeMissing)
        #expect(error.message.contains(".python-version asks for Python 3.8"))
        #expect(error.message.contains("3.11.2 (/usr/bin/python3.11.2)"))
        #expect(throws: BuildError.self) { try PythonInterpreter.choose(request, from: []) }
    }

    @Test(arguments: [
        (">=3.9,<3.12", "3.11.2", true), (">=3.12", "3.11.2", false), ("~=3.10", "3.11.2", true),
        ("~=3.10.1", "3.11.2", false), ("==3.11.*", "3.11.2", true), ("==3.11", "3.11.2", false),
        ("!=3.11.*, >=3", "3.11.2", false), ("^3.10", "3.11.2", true), ("^3.10", "4.0.0", false),
        ("3.11", "3.11.9", true),
        ("*", "3.11.2", true), ("> 3.11.2", "3.11.2", false), ("<=3.11.2", "3.11.2", true), ("", "3.1.0", true),
    ])
    func `requires-python admits versions`(text: String, version: String, expected: Bool) throws {
        let specifiers = try #require(PythonVersionSpecifiers(text))
        #expect(try specifiers.admit(#require(SoftwareVersion(version))) == expected)
    }

    @Test(arguments: ["python", ">=x", "=>3.9", "3.9 || 3.10"])
    func `what is no specifier is none`(text: String) {
        #expect(PythonVersionSpecifiers(text) == nil)
    }

    @Test(arguments: [
        ("20.x", "20.11.1", true), ("20.x", "21.0.0", false), ("20", "20.1.0", true), (">=18", "20.0.0", true),
        (">= 18 < 21", "20.0.0", true), (">=18 <20", "20.0.0", false), ("^20.5.0", "20.4.0", false),
        ("^20.5.0", "20.9.0", true), ("^0.12.0", "0.13.0", false), ("~20.5", "20.5.9", true),
        ("~20.5", "20.6.0", false),
        ("18 || 20", "20.0.0", true), ("18 || 22.x", "20.0.0", false), ("18 - 20", "20.9.9", true),
        ("18 - 20", "21.0.0", false), ("*", "1.0.0", true), ("", "1.0.0", true), ("v20.11.1", "20.11.1", true),
        (">20", "20.5.0", false), ("<=20", "20.5.0", true), ("20.11.1", "20.11.2", false), ("lts/*", "20.0.0", nil),
    ])
    func `engines.node admits versions`(text: String, version: String, expected: Bool?) throws {
        let version = try #require(SoftwareVersion(version))
        #expect(NodeVersionRange(text)?.admits(version) == expected)
    }
}
