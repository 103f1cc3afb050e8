internal import Hummingbird
internal import PlatformKit

/// Lets only those through who may do what the routes behind it do, and says who it is.
struct AccessMiddleware: RouterMiddleware {
    let authenticator: Authenticator
    let role: Role

    func handle(
        _ request: Request, context: APIContext, next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        let principal = try await self.authenticator.principal(for: request.headers)
        guard principal.role >= self.role else {
            throw PlatformError(
                .forbidden,
                "This needs the role \(self.role.rawValue); the token of \(principal.name) has \(principal.role.rawValue)."
            )
        }
        var context = context
        context.principal = principal
        return try await next(request, context)
    }
}
