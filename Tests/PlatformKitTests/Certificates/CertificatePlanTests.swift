import Foundation
import Testing

@testable import PlatformKit

@Suite struct CertificatePlanTests {
    private static let shop = CertificatePlan.Application(
        id: "shop", hosts: ["shop.apps.example", "www.example.com"], isAutomatic: false)
    private static let blog = CertificatePlan.Application(
        id: "blog", hosts: ["blog.apps.example", "blog.example.com"], isAutomatic: true)

    private static func certificate(_ id: String, _ owner: String?, _ names: String..., at: Double = 0)
        -> CertificatePlan.Certificate
    {
        .init(id: id, applicationID: owner, names: names, addedAt: Date(timeIntervalSince1970: at))
    }

    private static func plan(_ certificates: CertificatePlan.Certificate...) -> CertificatePlan {
        CertificatePlan(applications: [Self.shop, Self.blog], certificates: certificates)
    }

    @Test func `orders for the hosts of applications that want it, and for no others`() {
        #expect(Self.plan().served.isEmpty)
        #expect(Self.plan().ordered == ["blog.apps.example", "blog.example.com"])
    }

    @Test func `an application's certificate is for its own hosts, whatever else it names`() {
        let plan = Self.plan(Self.certificate("a", "shop", "www.example.com", "blog.example.com", "*.apps.example"))
        #expect(plan.served == ["www.example.com": "a", "shop.apps.example": "a"])
        #expect(plan.ordered == ["blog.apps.example", "blog.example.com"])
    }

    @Test func `the platform's certificate is for all that it names, and nothing is ordered for those hosts`() {
        let plan = Self.plan(Self.certificate("p", nil, "*.apps.example"))
        #expect(plan.served == ["*.apps.example": "p"])
        #expect(plan.ordered == ["blog.example.com"])
    }

    @Test func `the newer goes before the older, and an application's own before the platform's`() {
        let plan = Self.plan(
            Self.certificate("new", "shop", "www.example.com", at: 2),
            Self.certificate("old", "shop", "www.example.com", "shop.apps.example", at: 1),
            Self.certificate("common", nil, "www.example.com", "blog.example.com", at: 3))
        #expect(
            plan.served == ["www.example.com": "new", "shop.apps.example": "old", "blog.example.com": "common"])
        #expect(plan.ordered == ["blog.apps.example"])
    }

    @Test(arguments: [
        ("www.example.com", true), ("shop.localhost", false), ("localhost", false), ("10.0.0.1", false),
        ("*.example.com", false), ("xn--bcher-kva.example", true),
    ])
    func `orders only what an authority could reach`(host: String, expected: Bool) {
        #expect(CertificatePlan.canBeOrdered(host) == expected)
    }

    @Test(
        arguments: [
            (["a.example"], "a.example", true), (["*.example"], "a.example", true),
            (["*.example"], "b.a.example", false),
            (["*.example"], "example", false), (["a.example"], "b.example", false), ([], "a.example", false),
        ] as [([String], String, Bool)])
    func `a wildcard is for one label`(names: [String], host: String, expected: Bool) {
        #expect(CertificatePlan.names(names, cover: host) == expected)
    }
}
