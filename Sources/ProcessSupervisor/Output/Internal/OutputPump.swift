import Synchronization
package import SystemPackage

/// Reads one instance's FIFO and hands out its lines.
///
/// `run()` reads until it is cancelled; `finish()` reads what is left then. They never overlap.
final class OutputPump: Sendable {
    typealias Delivery = @Sendable ([LineSplitter.Line]) -> Void

    private let source: Descriptor
    private let flushAfter: Duration
    private let clock: any Clock<Duration>
    private let deliver: Delivery
    private let splitter: Mutex<LineSplitter>

    /// One read at most, so that a flood of one instance leaves the threads to others.
    private static let chunk = 65536
    /// What a FIFO can hold, at most; more is not from before the end.
    private static let rest = 2 << 20

    init(
        source: Descriptor, lineLimit: Int, flushAfter: Duration, clock: any Clock<Duration>,
        deliver: @escaping Delivery
    ) {
        self.source = source
        self.flushAfter = flushAfter
        self.clock = clock
        self.deliver = deliver
        self.splitter = Mutex(LineSplitter(limit: lineLimit))
    }

    func run() async {
        while !Task.isCancelled {
            if self.readSome() > 0 {
                await Task.yield()
            } else if self.splitter.withLock({ $0.hasPending }) {
                if await self.staysSilent() { self.flushPartial() }
                await self.source.wait(for: .readable)
            } else {
                await self.source.wait(for: .readable)
            }
        }
    }

    /// Reads what is left when nobody writes any more, and ends the last line.
    func finish() {
        var total = 0
        while total < Self.rest {
            let count = self.readSome()
            if count == 0 { break }
            total += count
        }
        self.flush { $0.finish(into: &$1) }
    }

    /// Hands out the line that has begun, when another will read on.
    func flushPartial() { self.flush { $0.flushPartial(into: &$1) } }

    private func staysSilent() async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                await self.source.wait(for: .readable)
                return false
            }
            group.addTask { (try? await self.clock.sleep(for: self.flushAfter)) != nil }
            let silent = await group.next() ?? false
            group.cancelAll()
            return silent
        }
    }

    /// The number of bytes that were there.
    private func readSome() -> Int {
        let bytes = (try? readAvailable(self.source, limit: Self.chunk)) ?? []
        if !bytes.isEmpty { self.flush { $0.append(bytes, into: &$1) } }
        return bytes.count
    }

    private func flush(_ change: (inout LineSplitter, inout [LineSplitter.Line]) -> Void) {
        let lines = self.splitter.withLock { splitter in
            var lines: [LineSplitter.Line] = []
            change(&splitter, &lines)
            return lines
        }
        if !lines.isEmpty { self.deliver(lines) }
    }
}

/// Reads once without waiting: nil at the end, empty when there is nothing now.
package func readAvailable(_ source: Descriptor, limit: Int) throws(Errno) -> [UInt8]? {
    let bytes: [UInt8]
    do {
        bytes = try [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            count = try source.file.read(into: UnsafeMutableRawBufferPointer(buffer))
        }
    } catch Errno.wouldBlock, Errno.resourceTemporarilyUnavailable {
        return []
    } catch let error as Errno {
        throw error
    } catch {
        return nil
    }
    return bytes.isEmpty ? nil : bytes
}
