/// What the pure sources need of those that are not.
enum TLSSettings {
    static let maxClientHelloBytes = 16_384
}

extension Duration {
    var nanosecondsClamped: UInt64 {
        let (seconds, attoseconds) = self.components
        return UInt64(clamping: seconds) &* 1_000_000_000 &+ UInt64(clamping: attoseconds / 1_000_000_000)
    }
}
