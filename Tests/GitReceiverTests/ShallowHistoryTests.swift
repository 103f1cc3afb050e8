import Testing

@testable import GitReceiver

/// Where histories end, and what of them is sent, of commits that a test makes up.
struct `A history that is cut` {
    private static func oid(_ number: UInt8) -> ObjectID {
        var text = String(number, radix: 16)
        while text.count < 40 { text = "0" + text }
        return ObjectID(text) ?? .zero
    }

    /// Commits by their numbers, each with its parents and the second in which it was made.
    private static func history(_ commits: [UInt8: (parents: [UInt8], time: Int)]) -> ShallowHistory {
        ShallowHistory { oid throws(GitReceiverError) in
            guard let commit = commits.first(where: { Self.oid($0.key) == oid })?.value else {
                throw GitReceiverError(.notFound, "There is no commit \(oid).")
            }
            let parents = commit.parents.map { "parent \(Self.oid($0))\n" }.joined()
            let text = "tree \(ObjectID.zero)\n\(parents)author A <a> 0 +0000\ncommitter A <a> \(commit.time) +0000\n"
            let header = Array(text.utf8).withUnsafeBytes { CommitHeader($0) }
            guard let header else { throw GitReceiverError(.corrupt, "The commit \(oid) is malformed.") }
            return header
        }
    }

    @Test func `ends once on each way, though a clock was wrong`() throws {
        // 9 has an old parent and a new one, behind which there is another old one.
        let history = Self.history([9: ([8, 7], 90), 8: ([], 10), 7: ([6], 80), 6: ([], 20)])
        var request = ShallowRequest()
        request.since = 50
        let boundary = try history.boundary(request, wants: [Self.oid(9)], tips: [], excluded: [])
        #expect(boundary.added == [Self.oid(9)])
        let missing = try history.missing(wants: [Self.oid(9)], common: [], old: [], boundary: boundary)
        #expect(missing.commits.map(\.oid) == [Self.oid(9)])
    }

    @Test func `sends an end that the client has kept the name of and nothing else`() throws {
        let history = Self.history([3: ([2], 3), 2: ([1], 2), 1: ([], 1)])
        let boundary = ShallowBoundary(present: [Self.oid(2)])
        let missing = try history.missing(
            wants: [Self.oid(3)], common: [], old: [Self.oid(2)], boundary: boundary)
        #expect(missing.commits.map(\.oid) == [Self.oid(3), Self.oid(2)])
        let common = try history.missing(
            wants: [Self.oid(3)], common: [Self.oid(2)], old: [Self.oid(2)], boundary: boundary)
        #expect(common.commits.map(\.oid) == [Self.oid(3)])
    }

    @Test func `goes deeper on branches that the client does not want again`() throws {
        let history = Self.history([9: ([1], 9), 5: ([4], 5), 4: ([3], 4), 3: ([], 3), 1: ([], 1)])
        var request = ShallowRequest()
        (request.depth, request.isRelative, request.present) = (1, true, [Self.oid(5)])
        let boundary = try history.boundary(
            request, wants: [Self.oid(9)], tips: [Self.oid(9), Self.oid(5)], excluded: [])
        #expect(boundary.removed == [Self.oid(5)] && boundary.added == [Self.oid(4)])
    }
}
