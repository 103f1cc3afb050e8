/// The web framework of a Python application, as far as it decides how `web` is run by default.
struct PythonFramework {
    let source: SourceTree
    let environment: PythonEnvironment

    var isDjango: Bool { self.source.hasFile("manage.py") && self.environment.has(package: "django") }

    /// How to run `web` when no Procfile says it; nil when nothing is recognised.
    func web() throws(BuildError) -> String? {
        if self.isDjango {
            guard self.environment.has(command: "gunicorn"), let module = try self.djangoModule() else {
                return "python manage.py runserver --noreload 0.0.0.0:$PORT"
            }
            return "gunicorn \(module).wsgi"
        }
        for module in ["app", "main", "wsgi", "application"] {
            guard let text = try self.source.text(of: "\(module).py") else { continue }
            if text.contains("FastAPI("), self.environment.has(command: "uvicorn"),
                let name = Self.variable(assigned: "FastAPI(", in: text)
            {
                return "uvicorn \(module):\(name) --host 0.0.0.0 --port $PORT"
            }
            guard self.environment.has(package: "flask"), let name = Self.variable(assigned: "Flask(", in: text) else {
                continue
            }
            return self.environment.has(command: "gunicorn")
                ? "gunicorn \(module):\(name)"
                : "python -m flask --app \(module):\(name) run --host 0.0.0.0 --port $PORT"
        }
        return nil
    }

    /// `guestbook` of `os.environ.setdefault("DJANGO_SETTINGS_MODULE", "guestbook.settings")`, if it has a `wsgi.py`.
    private func djangoModule() throws(BuildError) -> String? {
        var candidates: [String] = []
        if let text = try self.source.text(of: "manage.py"),
            let line = text.lines.first(where: { $0.contains("DJANGO_SETTINGS_MODULE") })
        {
            let strings = line.split(omittingEmptySubsequences: false) { $0 == "\"" || $0 == "'" }.map(String.init)
            candidates += strings.compactMap { $0.split(separator: ".").first.map(String.init) }
        }
        candidates += self.source.names()
        return candidates.first { !$0.contains("/") && self.source.hasFile("\($0)/wsgi.py") }
    }

    /// `app` of a line `app = Flask(__name__)`.
    private static func variable(assigned call: String, in text: String) -> String? {
        for line in text.lines where line.contains(call) {
            let name = line.prefix { $0.isLetter || $0.isNumber || $0 == "_" }
            let rest = line.dropFirst(name.count).trimmed
            if !name.isEmpty, rest.hasPrefix("="), !rest.hasPrefix("==") { return String(name) }
        }
        return nil
    }
}
