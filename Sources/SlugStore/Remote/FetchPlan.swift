/// Which ranges of a pack to ask for, so that the frames which are wanted arrive in few requests of a bounded size.
struct FetchPlan: Equatable {
    struct Request: Equatable, Sendable {
        var range: Range<Int64>
        /// The numbers of the frames in it that are wanted.
        var frames: [Int]
    }

    /// When so much of a pack is wanted, all of it is fetched.
    static let mostOfAPack = 0.75

    var requests: [Request] = []

    /// - Parameters:
    ///   - frames: The frames of the pack.
    ///   - wanted: The numbers of those that are wanted.
    ///   - gap: So many unwanted bytes between two frames are read rather than asked around.
    ///   - limit: The most bytes of a request, unless a frame alone has more.
    init(_ frames: [PackFormat.Frame], wanted: [Int], gap: Int64, limit: Int64) {
        let wanted = wanted.filter { frames[$0].storedBytes > 0 }.sorted { frames[$0].offset < frames[$1].offset }
        let total = frames.reduce(0) { $0 + Double($1.storedBytes) }
        let share = wanted.reduce(0) { $0 + Double(frames[$1].storedBytes) }
        let gap = share >= Self.mostOfAPack * total ? Int64.max : gap
        for number in wanted {
            let start = Int64(frames[number].offset)
            let range = start..<start + Int64(frames[number].storedBytes)
            if let last = self.requests.indices.last {
                let before = self.requests[last].range
                // Frames of a hostile index may overlap: each is then asked for by itself.
                if range.lowerBound >= before.upperBound, range.lowerBound - before.upperBound <= gap,
                    range.upperBound - before.lowerBound <= limit
                {
                    self.requests[last].range = before.lowerBound..<range.upperBound
                    self.requests[last].frames.append(number)
                    continue
                }
            }
            self.requests.append(Request(range: range, frames: [number]))
        }
    }
}
