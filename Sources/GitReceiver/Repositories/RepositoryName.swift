import SystemPackage

/// A name that is safe as a file name, in a URL and as a host label.
struct RepositoryName: Hashable, Sendable {
    let text: String

    init(_ text: String) throws(GitReceiverError) {
        guard (1...63).contains(text.utf8.count),
            text.utf8.allSatisfy({ (97...122).contains($0) || (48...57).contains($0) || $0 == 45 })
        else {
            throw GitReceiverError(
                .invalidName, "A repository name has 1 to 63 characters: lower-case letters, digits and hyphens.")
        }
        self.text = text
    }

    func path(in root: FilePath) -> FilePath { root.appending(self.text + ".git") }
}
