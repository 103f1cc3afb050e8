/// An authority's answer, read as far as the protocol goes.
struct Reply: Sendable {
    var status: Int
    /// Where the new resource is.
    var location: String?
    var retryAfter: Duration?
    var body: [UInt8]
    /// What the authority says is wrong, when it says that something is.
    var problem: ACMEProblem?

    init(status: Int, location: String? = nil, retryAfter: Duration? = nil, body: [UInt8] = []) {
        self.status = status
        self.location = location
        self.retryAfter = retryAfter
        self.body = body
        if status >= 400 {
            self.problem = (try? JSON.decode(ACMEProblem.self, body)) ?? ACMEProblem(type: "about:blank", detail: "")
        }
    }

    /// Reads the body.
    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        do {
            return try JSON.decode(type, self.body)
        } catch {
            throw ACMEError(
                .unexpectedAnswer, "The authority's answer is not the \(type) that the protocol says it is.",
                cause: error)
        }
    }

    /// Throws when the authority refused.
    ///
    /// - Parameter what: what it was asked for, to go after "The authority refused".
    func check(_ what: String) throws {
        guard !(200..<300).contains(self.status) else { return }
        let isLimited = self.problem?.name == "rateLimited" || self.status == 429 || self.status == 503
        throw ACMEError(
            isLimited ? .rateLimited : self.status >= 500 ? .unreachable : .refused,
            "The authority refused \(what) (status \(self.status)).", problem: self.problem,
            retryAfter: self.retryAfter)
    }
}
