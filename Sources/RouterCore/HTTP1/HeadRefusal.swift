/// Why a message was refused: the documented code, and the sentence that tells a person what was wrong with it.
struct HeadRefusal: Error, Equatable {
    var code: RouterErrorCode
    var reason: StaticString

    init(_ code: RouterErrorCode, _ reason: StaticString) {
        self.code = code
        self.reason = reason
    }

    static func == (lhs: HeadRefusal, rhs: HeadRefusal) -> Bool { lhs.code == rhs.code }
}
