/// gzip: any number of members one after the other, as parallel and appending compressors write them, and zeros after the last,
/// which tapes need.
final class GzipDecompressor: Decompressor {
    private enum State { case member, between, padding }

    private let inflater: Inflater
    private var state = State.member

    init() throws(SlugStoreError) { self.inflater = try Inflater(.gzip) }

    var isComplete: Bool { self.state != .member }

    func decode(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(SlugStoreError) -> (consumed: Int, produced: Int) {
        if self.state == .between, let first = input.first {
            self.state = first == 0 ? .padding : .member
            if first != 0 {
                guard first == 0x1f else { throw Self.garbage }
                self.inflater.reset()
            }
        }
        guard self.state == .member else {
            guard input.allSatisfy({ $0 == 0 }) else { throw Self.garbage }
            return (input.count, 0)
        }
        do throws(Inflater.Malformed) {
            let (consumed, produced, status) = try self.inflater.inflate(input, into: output)
            if status == .ended { self.state = .between }
            return (consumed, produced)
        } catch {
            throw SlugStoreError(code: .invalidArchive, message: "The archive's gzip stream is damaged: \(error.what).")
        }
    }

    private static let garbage = SlugStoreError(
        code: .invalidArchive, message: "The archive goes on after the end of its gzip stream with something else.")
}
