/// Whom a certificate is about and who issued it, as text (RFC 4514): `CN=alice,O=Example`.
///
/// The text is ASCII without control characters, whatever the certificate says, so that it can stand in a header field.
struct CertificateNames {
    var subject: String
    var issuer: String

    /// Reads the names of a certificate in DER; nil when it is none.
    init?(certificate: [UInt8]) {
        var outer = DERReader(certificate[...])
        guard let body = outer.next(DERReader.sequence) else { return nil }
        var certificate = DERReader(body)
        guard let signed = certificate.next(DERReader.sequence) else { return nil }
        var fields = DERReader(signed)
        if fields.tag == 0xA0 { _ = fields.next() }  // The version.
        guard fields.next(DERReader.integer) != nil, fields.next(DERReader.sequence) != nil,
            let issuer = fields.next(DERReader.sequence), fields.next(DERReader.sequence) != nil,
            let subject = fields.next(DERReader.sequence),
            let issuerText = Self.text(issuer), let subjectText = Self.text(subject)
        else { return nil }
        self.issuer = issuerText
        self.subject = subjectText
    }

    private static func text(_ name: ArraySlice<UInt8>) -> String? {
        var parts: [String] = []
        var reader = DERReader(name)
        while !reader.isEmpty {
            guard let set = reader.next(DERReader.set), let part = self.relativeName(set) else { return nil }
            parts.append(part)
        }
        // The most specific part is the last one in the certificate and the first one in text.
        return parts.reversed().joined(separator: ",")
    }

    private static func relativeName(_ set: ArraySlice<UInt8>) -> String? {
        var parts: [String] = []
        var reader = DERReader(set)
        while !reader.isEmpty {
            guard let pair = reader.next(DERReader.sequence) else { return nil }
            var fields = DERReader(pair)
            guard let type = fields.next(DERReader.objectIdentifier), let value = fields.next() else { return nil }
            parts.append("\(self.typeName(type))=\(self.escaped(self.utf8(value.tag, value.content)))")
        }
        return parts.isEmpty ? nil : parts.joined(separator: "+")
    }

    private static func typeName(_ type: ArraySlice<UInt8>) -> String {
        if type.count == 3, type.starts(with: [0x55, 0x04]), let last = type.last {
            switch last {
            case 3: return "CN"
            case 4: return "SN"
            case 5: return "serialNumber"
            case 6: return "C"
            case 7: return "L"
            case 8: return "ST"
            case 9: return "street"
            case 10: return "O"
            case 11: return "OU"
            case 12: return "title"
            case 42: return "GN"
            default: return "2.5.4.\(last)"
            }
        }
        if type.elementsEqual([0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x01]) { return "emailAddress" }
        if type.elementsEqual([0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 0x01, 0x19]) { return "DC" }
        if type.elementsEqual([0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 0x01, 0x01]) { return "UID" }
        return self.dotted(type)
    }

    /// An identifier that has no name here, as numbers. One whose numbers are longer than 63 bits is written in bytes.
    private static func dotted(_ type: ArraySlice<UInt8>) -> String {
        var numbers: [UInt64] = []
        var number: UInt64 = 0
        for byte in type {
            guard number < 1 << 56 else { return "OID." + type.map { self.hex($0) }.joined() }
            number = number << 7 | UInt64(byte & 0x7F)
            guard byte & 0x80 == 0 else { continue }
            // The first number stands for two.
            if numbers.isEmpty {
                let first = min(number / 40, 2)
                numbers.append(first)
                number -= first * 40
            }
            numbers.append(number)
            number = 0
        }
        return numbers.map { String($0) }.joined(separator: ".")
    }

    /// The string's bytes in UTF-8: of the types that occur, two are written in something else.
    private static func utf8(_ tag: UInt8, _ content: ArraySlice<UInt8>) -> [UInt8] {
        switch tag {
        case 0x14: return content.flatMap { Array(String(Unicode.Scalar($0)).utf8) }  // Latin-1, by custom.
        case 0x1E:
            let units = stride(from: content.startIndex, to: content.endIndex - 1, by: 2).map {
                UInt16(content[$0]) << 8 | UInt16(content[$0 + 1])
            }
            return Array(String(decoding: units, as: UTF16.self).utf8)
        default: return Array(content)
        }
    }

    private static func escaped(_ value: [UInt8]) -> String {
        var text = ""
        for (index, byte) in value.enumerated() {
            let isEnd = index == 0 || index == value.count - 1
            switch byte {
            case 0x22, 0x2B, 0x2C, 0x3B, 0x3C, 0x3D, 0x3E, 0x5C:
                text += "\\" + String(Unicode.Scalar(byte))
            case 0x20 where isEnd, 0x23 where index == 0:
                text += "\\" + String(Unicode.Scalar(byte))
            case 0x20..<0x7F:
                text.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                text += "\\" + self.hex(byte)
            }
        }
        return text
    }

    private static func hex(_ byte: UInt8) -> String {
        let text = String(byte, radix: 16, uppercase: true)
        return text.utf8.count == 1 ? "0" + text : text
    }
}
