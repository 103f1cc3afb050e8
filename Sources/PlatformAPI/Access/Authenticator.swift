internal import HTTPTypes
internal import PlatformKit

/// Finds out who sends a request.
struct Authenticator {
    let platform: any ControlPlane

    func principal(for headers: HTTPFields) async throws(PlatformError) -> Principal {
        try self.refuseForeignPages(headers)
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

    /// A browser that was given the token as a password sends it with what any page asks of this host, too.
    private func refuseForeignPages(_ headers: HTTPFields) throws(PlatformError) {
        guard let name = HTTPField.Name("Sec-Fetch-Site"), let site = headers[name] else { return }
        if site != "same-origin", site != "none" {
            throw PlatformError(.forbidden, "Pages of other sites may not use this API.")
        }
    }
}
