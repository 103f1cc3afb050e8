import Logging
import SystemPackage

/// What an instance writes.
extension InstanceRun {
    func openOutput(_ path: FilePath) {
        // For writing too: without a writer of our own, the end of the last one would be an end of file for ever.
        guard let file = try? FileDescriptor.open(path, .readWrite, options: [.nonBlocking, .closeOnExec]) else {
            self.surroundings.logger.error(
                "cannot open an instance's output", metadata: ["instance": "\(self.spec.id)", "path": "\(path)"])
            return
        }
        let driver = self.driver
        let configuration = self.surroundings.configuration
        let pump = OutputPump(
            source: Descriptor(owning: file.rawValue), lineLimit: configuration.lineLimit,
            flushAfter: configuration.partialLineDelay, policy: self.spec.output, clock: self.surroundings.clock
        ) { lines in
            driver.receive(lines, at: .now)
        } dropped: { lines, bytes in
            driver.dropped(lines: lines, bytes: bytes)
        }
        self.pump = pump
        pump.start()
    }

    func closeOutput() async {
        await self.pump?.stop()
        self.pump?.finish()
        self.pump = nil
    }
}
