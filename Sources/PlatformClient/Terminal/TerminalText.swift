/// What may be written to a terminal of text that an application, or anyone else, has made.
package enum TerminalText {
    /// The text on one line, with every control character made visible. For names, causes and cells of tables.
    package static func line(_ text: some StringProtocol) -> String {
        var safe = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n", "\r", "\t": safe.unicodeScalars.append(" ")
            case let scalar where scalar.properties.generalCategory == .control: safe += Self.visible(scalar)
            default: safe.unicodeScalars.append(scalar)
            }
        }
        return safe
    }

    /// The text with its colours, and no other escape sequence: a log line must not move the cursor, change the title or
    /// answer for the user.
    package static func coloured(_ text: some StringProtocol) -> String {
        var safe = ""
        var rest = Substring(text).unicodeScalars
        var hasColour = false
        while let scalar = rest.popFirst() {
            if scalar == "\u{1b}", let length = Self.lengthOfColour(rest) {
                safe.unicodeScalars.append(scalar)
                safe.unicodeScalars.append(contentsOf: rest.prefix(length))
                rest = rest.dropFirst(length)
                hasColour = true
            } else if scalar == "\t" || scalar.properties.generalCategory != .control {
                safe.unicodeScalars.append(scalar)
            } else if scalar != "\r" {
                safe += Self.visible(scalar)
            }
        }
        return hasColour ? safe + "\u{1b}[0m" : safe
    }

    /// How many scalars after the escape belong to `[…m`.
    private static func lengthOfColour(_ rest: Substring.UnicodeScalarView) -> Int? {
        guard rest.first == "[" else { return nil }
        let parameters = rest.dropFirst().prefix(32).prefix { ("0"..."9").contains($0) || $0 == ";" || $0 == ":" }
        return rest.dropFirst(1 + parameters.count).first == "m" ? parameters.count + 2 : nil
    }

    private static func visible(_ scalar: Unicode.Scalar) -> String {
        scalar.value < 0x20 ? "^" + String(Unicode.Scalar(UInt8(scalar.value) + 0x40)) : "?"
    }
}
