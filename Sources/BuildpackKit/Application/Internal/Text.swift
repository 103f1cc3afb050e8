extension StringProtocol {
    /// Without white space at either end.
    var trimmed: SubSequence {
        guard let first = self.firstIndex(where: { !$0.isWhitespace }),
            let last = self.lastIndex(where: { !$0.isWhitespace })
        else { return self[self.endIndex...] }
        return self[first...last]
    }

    /// Short enough to be quoted in a message.
    var abbreviated: String {
        self.count <= 60 ? String(self) : self.prefix(57) + "..."
    }

    /// The lines, without their ends (LF or CRLF).
    var lines: [SubSequence] {
        self.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    }
}

extension String {
    var withoutByteOrderMark: Substring {
        self.unicodeScalars.first == "\u{FEFF}" ? Substring(self.unicodeScalars.dropFirst()) : self[...]
    }

    /// The text as one word of a POSIX shell.
    var shellQuoted: String {
        let plain = self.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "_-./:=,+@%".utf8.contains(byte)
            }
        }
        if plain && !self.isEmpty { return self }
        return "'" + self.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
