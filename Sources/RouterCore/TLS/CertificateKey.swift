/// What kind of key a certificate has, read from its public key in DER (RFC 5280, SubjectPublicKeyInfo).
///
/// A handshake costs the server one signature, whoever asks for it: with RSA it grows with the cube of the key's size, and
/// with 16,384 bits takes a second.
enum CertificateKey: Equatable, CustomStringConvertible {
    case rsa(bits: Int)
    case p256, p384, p521, ed25519
    case other

    init(publicKey: [UInt8]) {
        var outer = DERReader(publicKey[...])
        guard let body = outer.next(DERReader.sequence) else {
            self = .other
            return
        }
        var fields = DERReader(body)
        guard let kind = fields.next(DERReader.sequence), let bits = fields.next(DERReader.bitString) else {
            self = .other
            return
        }
        var parts = DERReader(kind)
        let algorithm = parts.next(DERReader.objectIdentifier).map { Array($0) } ?? []
        switch algorithm {
        case [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01]: self = Self.rsa(bits)
        case [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01]:
            switch parts.next(DERReader.objectIdentifier).map({ Array($0) }) {
            case [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07]: self = .p256
            case [0x2B, 0x81, 0x04, 0x00, 0x22]: self = .p384
            case [0x2B, 0x81, 0x04, 0x00, 0x23]: self = .p521
            default: self = .other
            }
        case [0x2B, 0x65, 0x70]: self = .ed25519
        default: self = .other
        }
    }

    private static func rsa(_ bits: ArraySlice<UInt8>) -> CertificateKey {
        // The first byte says how many bits of the last one do not count: none.
        var outer = DERReader(bits.dropFirst())
        guard let body = outer.next(DERReader.sequence) else { return .other }
        var numbers = DERReader(body)
        guard let modulus = numbers.next(DERReader.integer)?.drop(while: { $0 == 0 }), let first = modulus.first else {
            return .other
        }
        return .rsa(bits: modulus.count * 8 - first.leadingZeroBitCount)
    }

    var description: String {
        switch self {
        case .rsa(let bits): "RSA with \(bits) bits"
        case .p256: "P-256"
        case .p384: "P-384"
        case .p521: "P-521"
        case .ed25519: "Ed25519"
        case .other: "of another kind"
        }
    }
}
