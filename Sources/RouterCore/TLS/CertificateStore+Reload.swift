extension CertificateStore {
    /// What became of one certificate that came from files.
    public struct Reload: Sendable {
        /// What was found.
        public enum Outcome: Sendable {
            /// The files hold another certificate, which is used from now on.
            case replaced(TLSCertificate)
            /// The files have changed and cannot be used. The old certificate stays in use.
            case refused(TLSError)
        }

        /// The certificate that was in use.
        public var certificate: TLSCertificate
        /// What was found in its files.
        public var outcome: Outcome
    }

    /// Reads the certificates anew that came from files which have changed since, by time, size or place, and uses
    /// those that are good and different.
    ///
    /// It reads files and prepares certificates: call it from time to time, or on a signal, and not on an event loop.
    /// A file that is half written is refused and tried again at the next call.
    ///
    /// - Returns: what was replaced or refused; certificates that have not changed are left out.
    public func reload() -> [Reload] {
        self.entriesFromFiles.compactMap { entry in
            guard let files = entry.certificate.files, files.haveChanged else { return nil }
            do throws(TLSError) {
                let certificate = try TLSCertificate(
                    chainFile: files.chain, keyFile: files.key, limits: entry.certificate.limits)
                // Replaced even if it is the same, so that the files' new stamps are known.
                try self.replace(entry, by: certificate)
                if certificate == entry.certificate { return nil }
                return Reload(certificate: entry.certificate, outcome: .replaced(certificate))
            } catch {
                return Reload(certificate: entry.certificate, outcome: .refused(error))
            }
        }
    }
}
