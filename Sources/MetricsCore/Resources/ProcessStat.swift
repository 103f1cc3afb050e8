/// The fields of `/proc/PID/stat` that matter here.
struct ProcessStat: Equatable {
    var pid: Int32
    var parent: Int32
    var session: Int32
    /// User and system time, of this process and of the children it has waited for, in clock ticks.
    var ticks: Int64
    var residentPages: Int64

    /// Reads the one line of a stat file; `nil` when it is not one.
    init?(_ bytes: some Collection<UInt8>) {
        // The command is in parentheses and may contain blanks and parentheses of its own: fields count from the last one.
        let bytes = Array(bytes)
        guard let open = bytes.firstIndex(of: UInt8(ascii: "(")), let close = bytes.lastIndex(of: UInt8(ascii: ")")),
            open < close, let pid = Self.number(bytes[..<open].dropLast())
        else { return nil }
        let fields = bytes[(close + 1)...].split(whereSeparator: { $0 == UInt8(ascii: " ") || $0 == 0x0A })
        // fields[0] is the manual's field 3, the state.
        guard fields.count > 21,
            let parent = Self.number(fields[1]), let session = Self.number(fields[3]),
            let user = Self.number(fields[11]), let system = Self.number(fields[12]),
            let childrenUser = Self.number(fields[13]), let childrenSystem = Self.number(fields[14]),
            let resident = Self.number(fields[21])
        else { return nil }
        self.pid = Int32(truncatingIfNeeded: pid)
        self.parent = Int32(truncatingIfNeeded: parent)
        self.session = Int32(truncatingIfNeeded: session)
        self.ticks = user &+ system &+ childrenUser &+ childrenSystem
        self.residentPages = max(0, resident)
    }

    private static func number(_ field: ArraySlice<UInt8>) -> Int64? {
        Int64(String(decoding: field, as: UTF8.self))
    }
}
