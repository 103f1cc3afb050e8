/// What applications claim of one host.
struct HostClaims<Value: Sendable>: Sendable {
    struct Rule: Sendable {
        var condition: RouteCondition
        var stripsPrefix: Bool
        var application: String
        var value: Value
    }

    enum Finding {
        case rule(Rule)
        case none
        /// Servers could read the path as being under different prefixes.
        case ambiguous
    }

    /// What the host's owner has, whose it is when no rule fits: a match without conditions, which is all that nearly
    /// every host has.
    private(set) var value: Value?
    private var owner = ""
    /// Claims with conditions, in the order in which they are asked.
    private(set) var rules: [Rule] = []
    private var hasPrefixes = false

    /// A host may have so many rules; they are asked one after the other.
    static var ruleLimit: Int { 256 }

    var isEmpty: Bool { self.value == nil && self.rules.isEmpty }

    /// Who has claimed exactly this.
    func holder(of condition: RouteCondition) -> String? {
        if condition.isNone { return self.value == nil ? nil : self.owner }
        return self.rules.first { $0.condition == condition }?.application
    }

    mutating func set(_ rule: Rule) {
        if rule.condition.isNone {
            self.owner = rule.application
            self.value = rule.value
        } else if let known = self.rules.firstIndex(where: { $0.condition == rule.condition }) {
            self.rules[known] = rule
        } else {
            let position = self.rules.firstIndex { rule.condition.precedes($0.condition) } ?? self.rules.count
            self.rules.insert(rule, at: position)
            self.hasPrefixes = self.hasPrefixes || !rule.condition.prefix.isEmpty
        }
    }

    mutating func remove(_ condition: RouteCondition) {
        if condition.isNone {
            self.owner = ""
            self.value = nil
        } else {
            self.rules.removeAll { $0.condition == condition }
            self.hasPrefixes = self.rules.contains { !$0.condition.prefix.isEmpty }
        }
    }

    /// The first rule that fits.
    func find(_ request: some RequestView) -> Finding {
        let path = request.path
        if !self.hasPrefixes || PathReading.isPlain(path) {
            return self.first(request, path).map { .rule(self.rules[$0]) } ?? .none
        }
        return withUnsafeTemporaryAllocation(byteCount: path.count + 1, alignment: 1) { undone in
            guard let count = PathReading.undo(path, into: undone) else { return .ambiguous }
            let literal = self.first(request, path)
            let other = self.first(request, UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(undone)[..<count]))
            guard literal == other else { return .ambiguous }
            return literal.map { .rule(self.rules[$0]) } ?? .none
        }
    }

    private func first(_ request: some RequestView, _ path: UnsafeRawBufferPointer) -> Int? {
        for index in self.rules.indices
        where self.rules[index].condition.fits(path: path) && self.rules[index].condition.fits(fieldsOf: request) {
            return index
        }
        return nil
    }
}
