package import SystemPackage

/// Which host, with which token, and which application a command means: what its options say, else the environment, else
/// what lies around it.
package struct ClientSettings: Sendable {
    /// What was given on the command line.
    package struct Options: Sendable {
        package var url: String?
        package var token: String?
        package var data: String?
        package var application: String?

        package init(
            url: String? = nil, token: String? = nil, data: String? = nil, application: String? = nil
        ) {
            self.url = url
            self.token = token
            self.data = data
            self.application = application
        }
    }

    /// Where a host on this machine listens by default.
    package static let defaultURL = "http://127.0.0.1:8081"
    /// Where a host keeps its data by default, from its working directory.
    package static let defaultData = "slipway-data"

    private let options: Options
    private let environment: [String: String]
    private let workingDirectory: FilePath

    /// Makes settings from what is there to choose from.
    package init(options: Options, environment: [String: String], workingDirectory: FilePath) {
        self.options = options
        self.environment = environment
        self.workingDirectory = workingDirectory
    }

    /// The admin address of the host.
    package var url: String { self.options.url ?? self.variable("SLIPWAY_URL") ?? Self.defaultURL }

    /// The file with the token of a host on this machine.
    package var tokenFile: FilePath {
        let data = self.options.data ?? self.variable("SLIPWAY_DATA") ?? Self.defaultData
        return self.workingDirectory.pushing(FilePath(data)).appending("admin-token")
    }

    /// The access token. Throws ``ClientError`` when there is none.
    package func token() throws(ClientError) -> String {
        if let token = self.options.token ?? self.variable("SLIPWAY_TOKEN") { return token }
        do {
            let file = try FileDescriptor.open(self.tokenFile, .readOnly)
            let bytes = try file.closeAfter {
                try [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
                    count = try file.read(into: UnsafeMutableRawBufferPointer(buffer))
                }
            }
            let token = String(decoding: bytes, as: UTF8.self).prefix { !$0.isWhitespace }
            guard !token.isEmpty else { throw ClientError(.invalid, "\(self.tokenFile) is empty.") }
            return String(token)
        } catch let error as ClientError {
            throw error
        } catch {
            throw ClientError(
                .invalid,
                "There is no access token: give --token or SLIPWAY_TOKEN, or the host's data directory by --data or "
                    + "SLIPWAY_DATA (\(self.tokenFile): \(error)).", cause: error)
        }
    }

    /// The application. Throws ``ClientError`` when nothing names one.
    package func application() throws(ClientError) -> String {
        if let name = self.options.application ?? self.variable("SLIPWAY_APP") { return name }
        if let name = WorkTree.containing(self.workingDirectory)?.application { return name }
        throw ClientError(
            .invalid,
            "Which application? Give --app NAME or SLIPWAY_APP, or work in a git work tree that has the remote "
                + "`\(WorkTree.remoteName)`.")
    }

    /// An empty variable counts as none, as shells make them easily.
    private func variable(_ name: String) -> String? {
        self.environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }
}
