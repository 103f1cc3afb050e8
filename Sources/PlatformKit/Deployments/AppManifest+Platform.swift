internal import BuildpackKit

/// What the control plane takes from `app.json`.
extension AppManifest {
    /// Wanted numbers of the first release.
    var quantities: [String: Int] {
        self.formation.compactMapValues { $0.quantity }
    }

    /// The config with what the file gives defaults for, or wants to be made up.
    func completing(_ config: [String: String]) -> [String: String] {
        var config = config
        for (name, variable) in self.env where config[name] == nil {
            if let value = variable.value {
                config[name] = value
            } else if variable.generatesSecret {
                config[name] = (0..<32).map { _ in
                    let byte = UInt8.random(in: .min ... .max)
                    return (byte < 16 ? "0" : "") + String(byte, radix: 16)
                }.joined()
            }
        }
        return config
    }
}
