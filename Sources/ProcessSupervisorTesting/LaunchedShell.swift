import ProcessSupervisor
import Synchronization
import SystemPackage

/// A process of a check, with its output on a pipe.
///
/// The pipe's end tells that nobody is left who has it: everything that came out of the process, wherever it went, unless
/// it closed its output.
final class LaunchedShell: Sendable {
    let process: LaunchedProcess
    let startID: String
    let spec: ProcessSpec
    private let reader: Descriptor
    private let unread = Mutex<[UInt8]>([])
    private let isReleased = Mutex(false)

    init(
        _ spec: ProcessSpec, startID: String, launcher: any Launcher, notification: LaunchRequest.Notification? = nil
    ) async throws {
        let (reader, writer) = try Descriptor.pipe(nonBlocking: .readable)
        self.reader = reader
        self.startID = startID
        self.spec = spec
        self.process = try await launcher.launch(
            LaunchRequest(
                id: "conformance", startID: startID, process: spec, output: .descriptor(writer.file),
                notification: notification))
        withExtendedLifetime(writer) {}
    }

    var handle: any ProcessHandle { self.process.handle }

    /// The next line; nil at the end.
    func line() async throws -> String? {
        while true {
            let line = self.unread.withLock { bytes -> String? in
                guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
                defer { bytes.removeSubrange(...end) }
                return String(decoding: bytes[..<end], as: UTF8.self)
            }
            if let line { return line }
            guard try await self.readMore() else { return nil }
        }
    }

    func lines(_ count: Int) async throws -> [String] {
        var lines: [String] = []
        while lines.count < count, let line = try await self.line() { lines.append(line) }
        return lines
    }

    /// Everything to the end, which comes when the last has gone who could write.
    func rest() async throws -> String {
        while try await self.readMore() {}
        return String(decoding: self.unread.withLock { $0 }, as: UTF8.self)
    }

    /// Requires that nobody has the output any more, now and not some time.
    func requireNobodyLeft(_ what: String) throws {
        while let bytes = try readAvailable(self.reader, limit: 65536) {
            if bytes.isEmpty { throw Violation("\(what): something still has the output open") }
            self.unread.withLock { $0 += bytes }
        }
    }

    /// Kills and releases. Once.
    func end() async {
        await self.handle.killTree()
        self.release()
    }

    func release() {
        let isFirst = self.isReleased.withLock { isReleased in
            defer { isReleased = true }
            return !isReleased
        }
        if isFirst { self.handle.release() }
    }

    /// What is on disk about it when its host dies; without a number, as just before its start.
    func record(withNumber: Bool = true) -> InstanceRecord {
        InstanceRecord(
            spec: InstanceSpec(id: "conformance", process: self.spec), phase: withNumber ? .running : .starting,
            startID: self.startID, bootID: Procfs.bootID(), pid: withNumber ? self.process.pid : nil,
            startTime: withNumber ? self.process.startTime : nil)
    }

    /// Waits for more. False at the end.
    private func readMore() async throws -> Bool {
        guard let bytes = try readAvailable(self.reader, limit: 65536) else { return false }
        self.unread.withLock { $0 += bytes }
        if bytes.isEmpty { await self.reader.wait(for: .readable) }
        try Task.checkCancellation()
        return true
    }
}
