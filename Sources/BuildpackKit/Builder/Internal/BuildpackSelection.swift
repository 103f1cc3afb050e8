import SystemPackage

/// Chooses the buildpacks of one build.
struct BuildpackSelection: Sendable {
    typealias Selected = (buildpack: any Buildpack, detection: Detection)

    let available: [any Buildpack]
    let source: SourceTree

    /// The buildpacks to use, in order.
    ///
    /// The request comes first, then `app.json`, then `.buildpacks`: all that are named there must apply. Without any
    /// of these it is the first that applies.
    func select(requested: [String]?, manifest: AppManifest) async throws -> [Selected] {
        if let requested, !requested.isEmpty {
            return try await self.all(of: requested, origin: .request)
        }
        if !manifest.buildpacks.isEmpty {
            return try await self.all(of: manifest.buildpacks, origin: .source("app.json"))
        }
        let listed = (try self.source.text(of: ".buildpacks") ?? "").lines
            .map { String($0.trimmed) }.filter { !$0.isEmpty && !$0.hasPrefix("#") }
        if !listed.isEmpty {
            return try await self.all(of: listed, origin: .source(".buildpacks"))
        }
        for buildpack in self.available {
            if let detection = try await self.detect(buildpack) { return [(buildpack, detection)] }
        }
        throw self.nothingDetected()
    }

    private enum Origin {
        case request
        case source(String)
    }

    private func all(of names: [String], origin: Origin) async throws -> [Selected] {
        var selected: [Selected] = []
        for name in names {
            let buildpack = try self.buildpack(named: name, origin: origin)
            guard let detection = try await self.detect(buildpack) else {
                let looksFor = buildpack.looksFor.isEmpty ? "" : " It looks for \(buildpack.looksFor)."
                throw BuildError(
                    .detectFailed, "Buildpack `\(name)` was asked for, but does not apply to this source.\(looksFor)",
                    buildpack: buildpack.name)
            }
            selected.append((buildpack, detection))
        }
        return selected
    }

    private func detect(_ buildpack: any Buildpack) async throws -> Detection? {
        do {
            return try await buildpack.detect(self.source)
        } catch {
            var error = BuildError.wrapping(error, doing: "Buildpack \(buildpack.name) cannot tell whether it applies")
            error.buildpack = buildpack.name
            throw error
        }
    }

    private func buildpack(named name: String, origin: Origin) throws -> any Buildpack {
        let short = Self.shortName(name)
        if let known = self.available.first(where: { $0.name == name || $0.name == short }) { return known }
        let names = self.available.map(\.name).joined(separator: ", ")
        if name.contains("://") || name.hasPrefix("git@") {
            throw BuildError(
                .unknownBuildpack,
                "Buildpack `\(name)` would have to be downloaded, which this builder does not do. "
                    + "Use one of its own (\(names)), or put the buildpack into a directory of the application.")
        }
        switch origin {
        case .request where name.contains("/"):
            return ClassicBuildpack(directory: FilePath(name))
        case .source(let file) where name.contains("/"):
            // What the source names must lie in the source: else a push could have any directory of the host read.
            guard !name.hasPrefix("/"), let directory = self.source.resolved(name), self.source.hasDirectory(name)
            else {
                throw BuildError(
                    .unknownBuildpack,
                    "\(file) names the buildpack `\(name)`, which is no directory of the application.")
            }
            return ClassicBuildpack(directory: directory)
        default:
            throw BuildError(.unknownBuildpack, "There is no buildpack `\(name)`. There are: \(names).")
        }
    }

    /// `heroku/python` and `https://github.com/heroku/heroku-buildpack-python` both mean `python`.
    private static func shortName(_ name: String) -> String {
        var last = name.split(separator: "/").last.map(String.init) ?? name
        if let end = last.firstIndex(where: { $0 == "#" }) { last = String(last[..<end]) }
        if last.hasSuffix(".git") { last.removeLast(4) }
        if name.hasPrefix("heroku/") { return last }
        guard name.contains("://github.com/heroku/"), last.hasPrefix("heroku-buildpack-") else { return name }
        return String(last.dropFirst("heroku-buildpack-".count))
    }

    private func nothingDetected() -> BuildError {
        let looked = self.available.map { buildpack in
            "  \(buildpack.name): \(buildpack.looksFor.isEmpty ? "(does not say)" : buildpack.looksFor)"
        }
        let found = self.source.names().prefix(20).joined(separator: " ")
        return BuildError(
            .nothingDetected,
            """
            No buildpack applies to this source. These files were looked for:
            \(looked.joined(separator: "\n"))
            At its top level the source has: \(found.isEmpty ? "nothing" : found)
            """)
    }
}
