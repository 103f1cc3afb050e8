internal import HTTPTypes
internal import PlatformKit

/// Finds out who sends a request.
struct Authenticator {
    let platform: any ControlPlane

    func principal(for headers: HTTPFields) async throws(PlatformError) -> Principal {
        guard let field = headers[.authorization] else {
            throw PlatformError(
                .unauthorised, "This needs an access token: send `Authorization: Bearer TOKEN`.")
        }
        guard let token = AccessToken(authorization: field) else {
            throw PlatformError(
                .unauthorised, "The field Authorization holds no token: send `Authorization: Bearer TOKEN`.")
        }
        return try await self.platform.authenticate(token: token.value)
    }
}
