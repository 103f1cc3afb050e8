/// What a client says it can do: `report-status side-band-64k agent=git/2.39.5`.
struct Capabilities: Hashable, Sendable {
    private var values: [String: String] = [:]

    init() {}

    init(_ text: some StringProtocol) {
        for word in text.split(separator: " ") {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            self.values[String(parts[0])] = parts.count == 2 ? String(parts[1]) : ""
        }
    }

    func has(_ name: String) -> Bool { self.values[name] != nil }
    subscript(name: String) -> String? { self.values[name] }

    /// A client of a SHA-256 repository gets an answer in words instead of a parse error.
    func requireSHA1() throws(GitReceiverError) {
        if let format = self["object-format"], format != "sha1" { throw .objectFormat(format) }
    }
}

extension GitReceiverError {
    static func objectFormat(_ format: String) -> GitReceiverError {
        GitReceiverError(
            .unsupported,
            "This server stores SHA-1 repositories and cannot take objects of the format \(format.prefix(16)). "
                + "Convert the repository: git init --object-format=sha1, then commit the files there.")
    }
}
