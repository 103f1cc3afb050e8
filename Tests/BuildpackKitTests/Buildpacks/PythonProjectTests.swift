import BuildpackKitTesting
import SystemPackage
import Testing

@testable import BuildpackKit

struct PythonProjectTests {
    private func project(_ files: [String: String], _ body: (PythonProject) throws -> Void) async throws {
        try await Workspace.with { workspace in
            try workspace.write(files)
            try body(try PythonProject(workspace.tree))
        }
    }

    private static let lock = """
        {"default": {
          "flask": {"version": "==3.0.0", "extras": ["async"], "markers": "python_version >= '3.8'"},
          "six": {"version": "==1.16.0"}
        }, "develop": {"pytest": {"version": "==8.0"}}}
        """

    @Test(
        arguments: [
            (["requirements.txt": "flask", "setup.py": ""], "requirements.txt", nil),
            (
                ["Pipfile.lock": lock, "Pipfile": ""], "Pipfile.lock",
                "flask[async]==3.0.0 ; python_version >= '3.8'\nsix==1.16.0\n"
            ),
            (
                ["Pipfile": "[packages]\nsix = \"*\"\nflask = {version = \">=3\", extras = [\"async\"]}\n"], "Pipfile",
                "flask[async]>=3\nsix\n"
            ),
            (
                ["pyproject.toml": "[project]\nname = \"x\"\ndependencies = [\"flask>=3\", \"six\"]\n"],
                "pyproject.toml",
                "flask>=3\nsix\n"
            ),
            (["pyproject.toml": "[build-system]\nrequires = []\n"], "pyproject.toml", nil),
            (["pyproject.toml": "[tool.ruff]\n", "setup.py": ""], "setup.py", nil),
            (["pyproject.toml": "[tool.ruff]\n"], nil, nil),
            (["manage.py": ""], nil, nil),
        ] as [([String: String], String?, String?)])
    func `takes the packages from the first file that lists any`(
        files: [String: String], origin: String?, generated: String?
    ) async throws {
        try await self.project(files) { project in
            let dependencies = try project.dependencies()
            #expect(dependencies?.origin == origin)
            #expect(dependencies?.generated == generated)
        }
    }

    @Test(arguments: [
        ("flask==3\n# comment\n--index-url https://example.org\n", true),
        ("-r base.txt\n-c limits.txt", true),
        ("-e .", false), ("./lib", false), ("lib @ file:///x", false), ("-r missing.txt", false),
        ("flask==${VERSION}", false),
    ])
    func `reuses what was installed only if the text decides it`(text: String, reusable: Bool) async throws {
        let files = ["requirements.txt": text, "base.txt": "six\n-r base.txt\n", "limits.txt": "six<2"]
        try await self.project(files) { project in
            let key = try project.dependencies()?.key
            #expect((key != nil) == reusable)
            if text.contains("base.txt") { #expect(key?.contains("six<2") == true) }
        }
    }

    @Test(arguments: [
        ([".python-version": "3.12", "runtime.txt": "python-3.9.1"], ".python-version", "3.12"),
        (["runtime.txt": "python-3.9.x"], "runtime.txt", "3.9"),
        (["pyproject.toml": "[project]\nrequires-python = \">=3.10\"\n"], "pyproject.toml", ">=3.10"),
        (["pyproject.toml": "[tool.poetry.dependencies]\npython = \"^3.10\"\n"], "pyproject.toml", "^3.10"),
        (["requirements.txt": ""], "", "any"),
    ])
    func `takes the version from the first file that states one`(
        files: [String: String], origin: String, text: String
    ) async throws {
        try await self.project(files) { project in
            let request = try project.version()
            #expect(request.origin == origin)
            #expect(request.text == text)
        }
    }

    @Test(arguments: [
        ["pyproject.toml": "[project\n"], ["pyproject.toml": "[project]\nrequires-python = \"three\"\n"],
        ["Pipfile.lock": "{"], ["Pipfile": "[packages]\nx = {git = \"https://example.org/x\"}\n"],
    ])
    func `says which file it cannot read`(files: [String: String]) async throws {
        let error = await #expect(throws: BuildError.self) {
            try await self.project(files) { _ = (try $0.version(), try $0.dependencies()) }
        }
        #expect(error?.code == .invalidSource)
        #expect(error?.message.contains(try #require(files.keys.first)) == true)
        #expect(error?.message.contains("\n") == false)
    }

    @Test(
        arguments: [
            (
                ["app.py": "from flask import Flask\napp = Flask(__name__)\n"], ["flask"], ["gunicorn"],
                "gunicorn app:app"
            ),
            (
                ["main.py": "site = Flask(__name__)"], ["flask"], [],
                "python -m flask --app main:site run --host 0.0.0.0 --port $PORT"
            ),
            (["main.py": "api = FastAPI()"], ["fastapi"], ["uvicorn"], "uvicorn main:api --host 0.0.0.0 --port $PORT"),
            (
                [
                    "manage.py": "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')", "shop/wsgi.py": "",
                    "a/wsgi.py": "",
                ],
                ["django"], ["gunicorn"], "gunicorn shop.wsgi"
            ),
            (
                ["manage.py": "", "shop/wsgi.py": ""], ["django"], [],
                "python manage.py runserver --noreload 0.0.0.0:$PORT"
            ),
            (["app.py": "app = Flask(__name__)"], [], ["gunicorn"], nil),
            (["app.py": "def make():\n    app = Flask(__name__)\n"], ["flask"], ["gunicorn"], nil),
        ] as [([String: String], [String], [String], String?)])
    func `knows how to run the usual frameworks`(
        files: [String: String], packages: [String], commands: [String], expected: String?
    ) async throws {
        try await Workspace.with { workspace in
            try workspace.write(files)
            let interpreter = PythonInterpreter(path: "/usr/bin/python3", version: SoftwareVersion(3, 11, 2))
            let root = PythonEnvironment.path
            for package in packages {
                try workspace.tree.write("", to: "\(root)/lib/python3.11/site-packages/\(package)/__init__.py")
            }
            for command in commands { try workspace.tree.write("", to: "\(root)/bin/\(command)", executable: true) }
            let pack = TestBuildpack { context in
                let environment = PythonEnvironment(context: context, interpreter: interpreter)
                let framework = PythonFramework(source: context.source, environment: environment)
                return try framework.web().map { [ProcessType(name: "web", command: $0)] } ?? []
            }
            let result = try await workspace.builder([pack]).build(workspace.request(), log: RecordingBuildLog())
            #expect(result.processTypes.first?.command == expected)
        }
    }
}
