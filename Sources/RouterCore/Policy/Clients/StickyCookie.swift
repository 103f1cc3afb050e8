/// The cookie that names the instance a client stays with.
struct StickyCookie: Sendable {
    /// What a cookie's value means: a hash, written as sixteen hexadecimal digits.
    typealias Token = UInt64

    let name: [UInt8]
    private let suffix: [UInt8]
    private let secureSuffix: [UInt8]

    init(name: String, maxAge: Duration?) {
        self.name = Array(name.utf8)
        let age = maxAge.map { "; Max-Age=\($0.components.seconds)" } ?? ""
        self.suffix = Array("; Path=/; HttpOnly; SameSite=Lax\(age)\r\n".utf8)
        self.secureSuffix = Array("; Path=/; HttpOnly; SameSite=Lax; Secure\(age)\r\n".utf8)
    }

    /// The value that stands for an instance.
    static func token(_ instance: BackendID, application: String, key: SecretKey) -> Token {
        var hash = SipHash(key, "sticky")
        hash.add(field: application)
        hash.add(field: instance.rawValue)
        return hash.finish()
    }

    /// What the request's cookie says, if it has one that is well-formed.
    func token(in request: some RequestView) -> Token? {
        var token: Token?
        _ = request.firstValue("cookie") { value in
            token = self.token(in: value)
            return token != nil
        }
        return token
    }

    func token(in cookies: UnsafeRawBufferPointer) -> Token? {
        var position = 0
        while position < cookies.count {
            while position < cookies.count, cookies[position] == ByteClass.space || cookies[position] == 0x3B {
                position += 1
            }
            let start = position
            while position < cookies.count, cookies[position] != 0x3B { position += 1 }
            let value = start + self.name.count + 1
            guard position - value == 16, cookies[value - 1] == 0x3D,
                self.name.indices.allSatisfy({ cookies[start + $0] == self.name[$0] })
            else { continue }
            return Self.parse(UnsafeRawBufferPointer(rebasing: cookies[value..<position]))
        }
        return nil
    }

    private static func parse(_ digits: UnsafeRawBufferPointer) -> Token? {
        var token: Token = 0
        for byte in digits {
            guard let digit = ByteClass.hexValue(byte) else { return nil }
            token = token << 4 | Token(digit)
        }
        return token
    }

    /// The response's field line that gives the client the cookie.
    func line(_ token: Token, isSecure: Bool) -> [UInt8] {
        var line = Array("Set-Cookie: ".utf8)
        line += self.name
        line.append(0x3D)
        for shift in stride(from: 60, through: 0, by: -4) {
            let digit = UInt8(truncatingIfNeeded: token >> UInt64(shift)) & 0xF
            line.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
        }
        line += isSecure ? self.secureSuffix : self.suffix
        return line
    }
}
