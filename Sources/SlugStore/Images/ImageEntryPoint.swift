/// How a process type's command is started in an image.
enum ImageEntryPoint {
    /// A command that is nothing but words is executed as it is, so that it needs no shell in the image. Any other is text for
    /// a shell, and so is every command of an application that has scripts to be read before it starts.
    static func arguments(for command: String, in directory: String, hasProfile: Bool) -> [String] {
        let words = command.split(separator: " ").map(String.init)
        if !hasProfile, let program = words.first, !program.contains("="), command.utf8.allSatisfy(self.isPlain) {
            // The image's runtime need not look for it where the shell does.
            let isInTree = program.contains("/") && !program.hasPrefix("/")
            return [isInTree ? "\(directory)/\(program)" : program] + words.dropFirst()
        }
        return hasProfile
            ? ["/bin/sh", "-c", self.profile, "slipway", command]
            : ["/bin/sh", "-c", "exec /bin/sh -c \"$1\"", "slipway", command]
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"):
            true
        default: " _@%+=:,./-".utf8.contains(byte)
        }
    }

    private static let profile = """
        for slipway_file in "$HOME"/.profile.d/*.sh "$HOME"/.profile; do
          if [ -f "$slipway_file" ]; then . "$slipway_file"; fi
        done
        exec /bin/sh -c "$1"
        """
}
