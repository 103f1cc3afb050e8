import RouterACME
import TestSupport

extension Pebble {
    /// A way to it.
    func transport() throws -> HTTPACMETransport {
        var configuration = HTTPACMETransport.Configuration()
        configuration.trustRoots = Array(self.authority.utf8)
        return try HTTPACMETransport(configuration: configuration)
    }

    /// What signs the certificates that it issues, as PEM.
    func issuer() async throws -> [UInt8] {
        let transport = try self.transport()
        let response = try await transport.send(ACMERequest(.get, self.root))
        await transport.shutDown()
        return response.body
    }
}
