import Foundation

/// Built applications of a usual size, to be stored.
enum SlugTree: String, CaseIterable {
    case python = "Python"
    case node = "Node.js"
    case go = "Go"

    /// Makes the tree in `directory`, with 500 small files of its own in `app`, of which releases change one.
    /// - Returns: Why it cannot be made here; `nil` when it was.
    func make(in directory: String, _ processes: Processes, log: String) throws -> String? {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        switch self {
        case .python:
            guard Machine.find("python3") != nil else { return "python3 is not installed" }
            try processes.run(["python3", "-m", "venv", directory], output: log)
            let packages = ["django", "gunicorn", "psycopg2-binary", "numpy", "pandas"]
            guard
                (try? processes.run(
                    [directory + "/bin/pip", "-q", "install"] + packages, output: log, seconds: 240)) != nil
            else { return "the packages could not be fetched from PyPI" }
        case .node:
            // What Debian's npm is made of: a usual tree of many small modules.
            let sources = ["/usr/share/nodejs", "/usr/lib/node_modules", "/usr/share/npm"]
                .filter { FileManager.default.fileExists(atPath: $0) }
            guard !sources.isEmpty else { return "no modules of Node.js are installed" }
            for (number, source) in sources.enumerated() {
                try processes.run(["cp", "-rL", source, directory + "/node_modules\(number)"], output: log)
            }
        case .go:
            guard Machine.find("go") != nil else { return "go is not installed" }
            let source = directory + "/main.go"
            let program = """
                package main
                import ("net/http"; "log")
                func main() { log.Fatal(http.ListenAndServe(":0", http.FileServer(http.Dir(".")))) }
                """
            try program.write(toFile: source, atomically: false, encoding: .utf8)
            try processes.run(
                ["go", "build", "-o", directory + "/web", source],
                environment: ["HOME": directory, "GOCACHE": directory + ".cache", "GO111MODULE": "off"], output: log,
                seconds: 240)
        }
        var generator = SystemRandomNumberGenerator()
        for number in 0..<500 {
            let folder = directory + "/app/d\(number % 20)"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            let lines = (0..<Int.random(in: 5..<120, using: &generator)).map { line in
                "def f\(number)_\(line)(x): return x * \(Int.random(in: 0..<1_000_000, using: &generator))"
            }
            try lines.joined(separator: "\n").write(
                toFile: folder + "/f\(number).py", atomically: false, encoding: .utf8)
        }
        return nil
    }

    /// Changes one source file, as the next release does.
    static func change(_ directory: String, release: Int) throws {
        let file = directory + "/app/d\(release % 20)/f\(release % 20).py"
        let text = try String(contentsOfFile: file, encoding: .utf8)
        try (text + "\n# release \(release)\n").write(toFile: file, atomically: false, encoding: .utf8)
    }
}
