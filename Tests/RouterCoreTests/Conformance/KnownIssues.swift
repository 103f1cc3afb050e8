/// Where the router is known to differ from what a case demands, and why.
enum KnownIssues {
    /// By the case's description.
    static let ofRouter: [String: String] = [
        "answer-heads: corrects or refuses a status line that is nearly right: HTTP/1.1 200":
            "A status line without the space before an empty reason passes as it is; RFC 9112, 4 demands the space.",
        "forwarding-fields: says in Via by which version it got the request":
            "Via always says 1.1; RFC 9110, 7.6.3 wants the version of the message that was received.",
        "forwarding-fields: counts Max-Forwards of OPTIONS down":
            "Max-Forwards is passed as it came; RFC 9110, 7.6.2 wants it counted down for OPTIONS.",
        "forwarding-fields: answers OPTIONS by itself when Max-Forwards is zero":
            "Max-Forwards is not looked at; RFC 9110, 7.6.2 forbids passing OPTIONS on when it is zero.",
        "end-to-end: adds a Date to an answer without one":
            "An answer without Date passes without; RFC 9110, 6.6.1 wants one added by who forwards it.",
        "end-to-end: gives its own answers a Date":
            "Error pages have no Date; RFC 9110, 6.6.1 wants one in answers of a server that has a clock.",
    ]
}
