#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// Where a deployment stands in the journal.
public enum DeploymentState: String, Codable, Sendable, Hashable, CaseIterable {
    /// Waits for the one before it.
    case queued
    /// Buildpacks are at work.
    case building
    /// The built tree is stored as a slug.
    case packaged
    /// The release exists and its release command runs.
    case releasing
    /// New instances start, and become ready.
    case rollingOut = "rolling-out"
    /// Its release is the one that is routed to.
    case live
    /// It ended without effect; the release that was live still is.
    case failed
    /// Somebody ended it, or the client that asked for it went away.
    case cancelled
    /// A newer one took its place before it had begun.
    case superseded

    /// Whether nothing will change any more.
    public var isFinal: Bool {
        switch self {
        case .queued, .building, .packaged, .releasing, .rollingOut: false
        case .live, .failed, .cancelled, .superseded: true
        }
    }
}

/// One way of a source, a config change or a rollback to a live release.
public struct DeploymentInfo: Codable, Sendable, Hashable {
    /// Counts from 1 for each application.
    public var number: Int
    /// Where it stands.
    public var state: DeploymentState
    /// What it deploys, in words: `push of 1a2b3c4d to main`, `rollback to v3`.
    public var description: String
    /// Who asked for it.
    public var author: String
    /// The commit, for a push.
    public var commit: String?
    /// The release that it made, once there is one.
    public var release: Int?
    /// Why it failed or was cancelled.
    public var cause: String?
    /// When it was asked for.
    public var createdAt: Date
    /// When it reached its final state.
    public var finishedAt: Date?

    /// Makes one from its parts.
    public init(
        number: Int, state: DeploymentState, description: String, author: String, commit: String?, release: Int?,
        cause: String?, createdAt: Date, finishedAt: Date?
    ) {
        self.number = number
        self.state = state
        self.description = description
        self.author = author
        self.commit = commit
        self.release = release
        self.cause = cause
        self.createdAt = createdAt
        self.finishedAt = finishedAt
    }
}
