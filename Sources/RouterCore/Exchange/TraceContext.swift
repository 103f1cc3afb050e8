/// Which trace a request belongs to (W3C Trace Context, level 1).
///
/// A router takes no part in a trace: what it is told it hands on unchanged. What it cannot make sense of it hands on to
/// nobody, because the next one would make another sense of it.
struct TraceContext {
    enum State {
        /// There is no `traceparent`.
        case absent
        case valid
        /// It is malformed, or there are several.
        case invalid
        /// The router begins the trace.
        case started
    }

    private(set) var state = State.absent
    private(set) var high: UInt64 = 0
    private(set) var low: UInt64 = 0
    private var span: UInt64 = 0

    /// Whether there is one to speak of.
    var isKnown: Bool {
        switch self.state {
        case .valid, .started: true
        case .absent, .invalid: false
        }
    }

    /// Reads the value of a `traceparent` field.
    mutating func read(_ value: UnsafeRawBufferPointer) {
        guard case .absent = self.state, let (high, low) = Self.parse(value) else {
            self.drop()
            return
        }
        self.state = .valid
        self.high = high
        self.low = low
    }

    /// What came is for this hop alone: the next one does not see it, and neither does anybody here.
    mutating func drop() {
        self = TraceContext()
        self.state = .invalid
    }

    /// Begins a trace.
    mutating func start(using random: inout LoopRandom) {
        self.state = .started
        // All zeros mean that there is none.
        self.high = random.next() | 1
        self.low = random.next()
        self.span = random.next() | 1
    }

    /// `version-traceid-parentid-flags`, in lower case, as far as every version has it.
    private static func parse(_ value: UnsafeRawBufferPointer) -> (UInt64, UInt64)? {
        guard value.count >= 55, value[2] == 0x2D, value[35] == 0x2D, value[52] == 0x2D,
            let version = self.hexadecimal(value, 0..<2), version != 0xFF,
            let high = self.hexadecimal(value, 3..<19), let low = self.hexadecimal(value, 19..<35), high | low != 0,
            let parent = self.hexadecimal(value, 36..<52), parent != 0, self.hexadecimal(value, 53..<55) != nil
        else { return nil }
        // Version 0 ends here; later ones may have more, set off in the same way.
        guard value.count == 55 || (version > 0 && value[55] == 0x2D) else { return nil }
        return (high, low)
    }

    private static func hexadecimal(_ value: UnsafeRawBufferPointer, _ range: Range<Int>) -> UInt64? {
        var number: UInt64 = 0
        for index in range {
            switch value[index] {
            case 0x30...0x39: number = number << 4 | UInt64(value[index] - 0x30)
            case 0x61...0x66: number = number << 4 | UInt64(value[index] - 0x57)
            default: return nil
            }
        }
        return number
    }

    /// The field of a trace that the router begins. It says that the trace is recorded: who asks for traces wants to see
    /// them, and those behind go by it.
    func write(into out: inout HeadWriter) {
        guard case .started = self.state else { return }
        out.append("traceparent: 00-")
        out.append(hexadecimal: self.high)
        out.append(hexadecimal: self.low)
        out.append("-")
        out.append(hexadecimal: self.span)
        out.append("-01\r\n")
    }
}
