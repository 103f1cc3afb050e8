/// What an application says about itself in its `app.json`.
///
/// Unknown keys are allowed and ignored; a known key with a value of the wrong kind is an error that names its line.
/// An application without an `app.json` has the empty manifest.
public struct AppManifest: Hashable, Codable, Sendable {
    /// A config variable that the application wants to be there when it is created.
    public struct Variable: Hashable, Codable, Sendable {
        /// What it is for.
        public var description: String?
        /// Its default.
        public var value: String?
        /// Whether the application cannot run without it.
        public var isRequired: Bool
        /// `secret` when a random value of 64 hexadecimal digits is to be made for it. There is no other generator.
        public var generator: String?
        /// Whether a random value is to be made for it.
        public var generatesSecret: Bool { self.generator == "secret" }

        /// Creates a variable.
        public init(
            description: String? = nil, value: String? = nil, isRequired: Bool = true, generator: String? = nil
        ) {
            self.description = description
            self.value = value
            self.isRequired = isRequired
            self.generator = generator
        }
    }

    /// Commands to run around a deployment, as shell text.
    public struct Scripts: Hashable, Codable, Sendable {
        /// Before a release goes live (`scripts.predeploy`, or Dokku's `scripts.dokku.predeploy`).
        public var predeploy: String?
        /// After the first release went live (`scripts.postdeploy`, or Dokku's `scripts.dokku.postdeploy`).
        public var postdeploy: String?

        /// Creates scripts.
        public init(predeploy: String? = nil, postdeploy: String? = nil) {
            self.predeploy = predeploy
            self.postdeploy = postdeploy
        }
    }

    /// An add-on that the application wants.
    public struct Addon: Hashable, Codable, Sendable {
        /// Its kind or plan, for example `postgresql`.
        public var plan: String
        /// The name to attach it as.
        public var name: String?

        /// Creates an add-on.
        public init(plan: String, name: String? = nil) {
            self.plan = plan
            self.name = name
        }
    }

    /// A command that runs by a schedule.
    public struct CronJob: Hashable, Codable, Sendable {
        /// Shell text.
        public var command: String
        /// A schedule in the five fields of cron, or `@daily` and the like. It is not checked here.
        public var schedule: String

        /// Creates a job.
        public init(command: String, schedule: String) {
            self.command = command
            self.schedule = schedule
        }
    }

    /// The application's name, for people.
    public var name: String?
    /// What it is.
    public var description: String?
    /// Config variables by name.
    public var env: [String: Variable]
    /// Formations by process type.
    public var formation: [String: Formation]
    /// Commands around a deployment.
    public var scripts: Scripts
    /// The buildpacks to use, in order.
    public var buildpacks: [String]
    /// Add-ons.
    public var addons: [Addon]
    /// Health checks by process type.
    public var healthchecks: [String: [HealthCheck]]
    /// Scheduled commands.
    public var cron: [CronJob]

    /// The largest `app.json` that is read, in bytes.
    public static let maximumSize = 256 * 1024

    /// Creates a manifest; an empty one by default.
    public init(
        name: String? = nil,
        description: String? = nil,
        env: [String: Variable] = [:],
        formation: [String: Formation] = [:],
        scripts: Scripts = Scripts(),
        buildpacks: [String] = [],
        addons: [Addon] = [],
        healthchecks: [String: [HealthCheck]] = [:],
        cron: [CronJob] = []
    ) {
        self.name = name
        self.description = description
        self.env = env
        self.formation = formation
        self.scripts = scripts
        self.buildpacks = buildpacks
        self.addons = addons
        self.healthchecks = healthchecks
        self.cron = cron
    }
}
