import PlatformAPI
import PlatformKit
import RouterCore
import ServiceLifecycle
import SystemPackage

/// Says where everything is, once it is there.
struct Announcement: Service {
    let settings: ServeSettings
    let router: Router
    let api: PlatformAPI
    let platform: Platform
    let tokenPath: FilePath

    func run() async throws {
        let http = try await self.router.listening().first ?? "\(self.settings.http.host):\(self.settings.http.port)"
        let admin = try await self.api.listening()
        self.platform.setAddresses(http: http, admin: admin)
        try await self.platform.waitUntilReady()
        let port = http.split(separator: ":").last.map { ":\($0)" } ?? ""
        print(
            """
            slipway is ready
              applications  http://NAME.\(self.settings.domain)\(port)/
              dashboard     http://\(admin)/
              git           http://\(admin)/git/NAME.git
              token         \(self.tokenPath)
            """)
        fflushStandardOutput()
    }
}
