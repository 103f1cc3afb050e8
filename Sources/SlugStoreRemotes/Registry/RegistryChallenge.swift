/// What a `WWW-Authenticate` field asks for.
enum RegistryChallenge: Equatable {
    case basic
    case bearer(realm: String, service: String?, scope: String?)

    /// The one to answer of those in a field: a token if that is offered, since passwords are then not sent to the registry.
    init?(_ field: String) {
        var challenges: [RegistryChallenge] = []
        var rest = Substring(field)
        var scheme = ""
        var parameters: [String: String] = [:]
        func close() {
            switch scheme {
            case "basic": challenges.append(.basic)
            case "bearer":
                guard let realm = parameters["realm"] else { return }
                challenges.append(.bearer(realm: realm, service: parameters["service"], scope: parameters["scope"]))
            default: break
            }
        }
        while true {
            rest = rest.drop { $0 == " " || $0 == "," || $0 == "\t" }
            if rest.isEmpty { break }
            let word = rest.prefix { $0 != " " && $0 != "=" && $0 != "," }
            guard !word.isEmpty else { return nil }
            rest = rest.dropFirst(word.count)
            guard rest.first == "=" else {
                close()
                (scheme, parameters) = (word.lowercased(), [:])
                continue
            }
            rest = rest.dropFirst()
            var value = ""
            if rest.first == "\"" {
                rest = rest.dropFirst()
                var isEscaped = false
                while let character = rest.first, isEscaped || character != "\"" {
                    if character == "\\", !isEscaped {
                        isEscaped = true
                    } else {
                        value.append(character)
                        isEscaped = false
                    }
                    rest = rest.dropFirst()
                }
                guard rest.first == "\"" else { return nil }
                rest = rest.dropFirst()
            } else {
                let token = rest.prefix { $0 != "," && $0 != " " }
                value = String(token)
                rest = rest.dropFirst(token.count)
            }
            parameters[word.lowercased()] = value
        }
        close()
        let chosen = challenges.first { if case .bearer = $0 { true } else { false } } ?? challenges.first
        guard let chosen else { return nil }
        self = chosen
    }
}
