internal import Hummingbird
internal import PlatformKit

/// Refuses changes while the platform starts or stops, when it could not carry them out.
struct ReadinessMiddleware: RouterMiddleware {
    let platform: any ControlPlane

    func handle(
        _ request: Request, context: APIContext, next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        guard self.platform.isReady else { throw Self.notReady }
        return try await next(request, context)
    }

    static let notReady = PlatformError(.unavailable, "The platform is starting or stopping. Try again in a moment.")
}
