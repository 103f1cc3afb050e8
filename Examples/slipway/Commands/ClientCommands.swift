import ArgumentParser

/// The commands that talk to a host, in the order of the help.
enum ClientCommands {
    static let all: [any ParsableCommand.Type] = [
        AppsCommand.self, DeployCommand.self, BuildsCommand.self, ReleasesCommand.self, ConfigCommand.self,
        ProcessesCommand.self, RunCommand.self, LogsCommand.self, DomainsCommand.self, CertsCommand.self,
        HTTPSCommand.self, MaintenanceCommand.self, MetricsCommand.self, SlugsCommand.self, AuditCommand.self,
        UpgradeCommand.self, GitCredentialCommand.self,
    ]
}
