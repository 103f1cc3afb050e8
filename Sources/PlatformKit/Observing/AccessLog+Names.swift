public import RouterCore

extension AccessLog {
    /// A log in which applications and instances have the names that people know.
    ///
    /// - Parameters:
    ///   - share: how many of the requests that went well are written, from 0 to 1.
    ///   - names: the names of applications.
    ///   - file: takes the lines.
    public init(share: Double, names: ApplicationNames, file: AccessLogFile) {
        self.init(
            share: share,
            edit: { record in
                record.application = record.application.map { names.name(of: $0) }
                record.backend = record.backend.map { BackendID(InstanceLabel.name(of: $0.rawValue)) }
            }, write: { file.append($0) })
    }
}
