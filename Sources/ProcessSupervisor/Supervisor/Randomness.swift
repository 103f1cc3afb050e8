/// A source of chance that can be handed over, shared, and made to repeat itself.
public struct Randomness: RandomNumberGenerator, Sendable {
    private let source: @Sendable () -> UInt64

    /// Takes numbers from `source`, which must be uniform.
    public init(_ source: @escaping @Sendable () -> UInt64) { self.source = source }

    /// The system's generator.
    public static var system: Randomness {
        Randomness {
            var generator = SystemRandomNumberGenerator()
            return generator.next()
        }
    }

    /// The next number.
    public func next() -> UInt64 { self.source() }

    /// 128 bits as hexadecimal digits.
    func identifier() -> String {
        let digits = [self.next(), self.next()].map { number in
            let text = String(number, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }
        return digits.joined()
    }
}
