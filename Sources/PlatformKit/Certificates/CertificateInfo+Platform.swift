internal import PlatformWire
internal import RouterCore

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

extension Platform {
    func info(_ record: CertificateRecord, _ application: String?) -> CertificateInfo {
        let entry = self.desk.entry(record.id)
        var info = CertificateInfo(
            source: "added", application: application, hosts: record.hosts,
            servedHosts: self.desk.servedHosts(record.id), state: "unusable", lastError: entry?.problem)
        if let certificate = entry?.certificate { self.describe(certificate, &info) }
        return info
    }

    func info(_ order: CertificateOrder, _ application: String?) -> CertificateInfo {
        var info = CertificateInfo(
            source: "acme", application: application, hosts: [order.host], servedHosts: [], state: "",
            lastError: order.lastError, nextOrder: order.nextOrder)
        if let certificate = self.desk.certificates.certificates[order.host] {
            info.servedHosts = [order.host]
            self.describe(certificate, &info)
        }
        if order.state != .valid || info.state.isEmpty { info.state = order.state.rawValue }
        return info
    }

    private func describe(_ certificate: TLSCertificate, _ info: inout CertificateInfo) {
        let seconds = certificate.notAfter - Int64(self.now().timeIntervalSince1970)
        info.subject = certificate.subject
        info.issuer = certificate.issuer
        info.notBefore = Date(timeIntervalSince1970: Double(certificate.notBefore))
        info.notAfter = Date(timeIntervalSince1970: Double(certificate.notAfter))
        info.daysLeft = Int((Double(seconds) / 86_400).rounded(.down))
        // Ordered ones are renewed in time by whoever orders them, however short they are valid.
        let warns = info.source == "added" && seconds < 14 * 86_400
        info.state = seconds < 0 ? "expired" : warns ? "expiring" : "valid"
    }
}
