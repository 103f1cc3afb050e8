import BuildpackKit
import Foundation
import Logging
import PlatformAPI
import PlatformKit
import PlatformWire
import ProcessSupervisor
import SlugStore
import SystemPackage

/// What the parts are told of the options.
extension ServeSettings {
    func supervisor(_ data: DataDirectory) -> Supervisor.Configuration {
        var configuration = Supervisor.Configuration(stateDirectory: data.instances)
        configuration.portRange = self.instancePorts
        configuration.onShutdown = self.leaveRunning ? .leaveRunning : .stopAll
        return configuration
    }

    func sandbox(_ data: DataDirectory, executable: String?) -> SandboxPolicy {
        var policy = SandboxPolicy()
        // Where machines have what does not come with the system, and is nobody's alone.
        policy.systemPaths.append("/opt")
        policy.binds = self.shown.map { SandboxPolicy.Bind($0) }
        policy.showToolchains(of: self.searchPath, homes: self.home.map { [$0] } ?? [], except: [data.path])
        // Static sites are served by this program.
        if let executable { policy.binds.append(.init(FilePath(executable))) }
        policy.hiddenPaths = [data.path]
        policy.network = self.network
        return policy
    }

    func slugRepository(_ data: DataDirectory) throws -> LocalSlugRepository.Configuration {
        var configuration = LocalSlugRepository.Configuration(directory: data.slugs)
        if self.signsSlugs {
            configuration.signatures = .anyOf(Set([try self.signer(data).publicKey] + self.trustedSlugKeys))
        }
        return configuration
    }

    func signer(_ data: DataDirectory) throws -> SlugSigner { try SlugSigner(privateKey: data.signingKey()) }

    func platform(
        _ data: DataDirectory, users: ClosedRange<UInt32>?, treesAreShared: Bool
    ) throws -> Platform.Configuration {
        var configuration = Platform.Configuration(dataDirectory: data.path)
        configuration.domain = self.domain
        configuration.applicationUsers = users
        // Before anything is served: applications with HTTPS enforced are so from the first request on.
        configuration.httpsAddress = self.https.map { "\($0.host):\($0.port)" }
        configuration.stopGrace = self.stopGrace
        configuration.drainGrace = self.stopGrace
        configuration.bootTimeout = self.bootTimeout
        configuration.startHold = self.startHold
        configuration.slugRetention = self.retention
        configuration.slugCheckInterval = self.slugCheckInterval
        // A background job: slow enough to be noticed by nobody.
        configuration.slugCheck.maxBytesPerSecond = 16_000_000
        // Without isolation, instances write into the tree that they share.
        configuration.slugCheck.checksTrees = !treesAreShared
        if self.signsSlugs { configuration.slugSigner = try self.signer(data) }
        configuration.sizes = self.sizes
        configuration.defaultSize = self.defaultSize
        configuration.maxOneOffsPerApplication = self.maxOneOffs
        configuration.oneOffTimeout = self.oneOffTimeout
        if self.killAt != nil { configuration.onJournal = { self.endIfWanted(at: $0.rawValue)() } }
        return configuration
    }

    /// For tests of what a crash leaves: the host ends at this step as if the power went.
    func endIfWanted(at step: String) -> @Sendable () -> Void {
        let isWanted = self.killAt == step
        return { if isWanted { kill(getpid(), SIGKILL) } }
    }

    func api(_ data: DataDirectory, socket: CInt?) -> APIServer.Configuration {
        var configuration = APIServer.Configuration(uploadDirectory: data.uploads)
        configuration.host = self.admin.host
        configuration.port = self.admin.port
        configuration.listeningSocket = socket
        return configuration
    }

    func builder(_ data: DataDirectory, _ logger: Logger) throws -> Builder {
        var configuration = Builder.Configuration()
        configuration.searchPath = self.searchPath
        configuration.buildTimeout = self.buildTimeout
        // Here the next start finds what this one may leave; it can hold config.
        configuration.temporaryDirectory = data.builds
        let added = self.buildpacks.map { ClassicBuildpack(directory: $0) as any Buildpack }
        return Builder(
            configuration: configuration, buildpacks: added + Builder.builtInBuildpacks,
            sandbox: HostBuildSandbox(logger: logger),
            logger: logger)
    }
}
