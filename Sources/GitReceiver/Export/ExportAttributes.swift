import CLibgit2

/// The attribute `export-ignore`, as the `.gitattributes` files of a commit set it.
struct ExportAttributes {
    private let repository: Repository
    private let commit: ObjectID

    init(_ repository: Repository, commit: ObjectID) {
        self.repository = repository
        self.commit = commit
    }

    /// Whether a path is to be left out. Patterns that end with a slash are not understood by libgit2 here.
    func ignores(_ path: String) throws(GitReceiverError) -> Bool {
        var options = git_attr_options()
        options.version = UInt32(GIT_ATTR_OPTIONS_VERSION)
        options.flags = UInt32(
            GIT_ATTR_CHECK_INDEX_ONLY | GIT_ATTR_CHECK_NO_SYSTEM | Int32(GIT_ATTR_CHECK_INCLUDE_COMMIT))
        options.attr_commit_id = self.commit.git
        var value: UnsafePointer<CChar>?
        try check(
            git_attr_get_ext(&value, self.repository.pointer, &options, path, "export-ignore"),
            "The attributes of \(path) could not be read.")
        return git_attr_value(value) == GIT_ATTR_VALUE_TRUE
    }
}
