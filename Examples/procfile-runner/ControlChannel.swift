import Foundation
import SystemPackage

/// A FIFO by which another terminal asks for a restart, one name a line.
enum ControlChannel {
    /// Calls `receive` with each line until the process ends.
    static func open(_ path: FilePath, receive: @escaping @Sendable (String) -> Void) throws {
        unlink(path.string)
        guard mkfifo(path.string, 0o600) == 0 else { throw Errno(rawValue: errno) }
        // For writing as well: without a writer of our own, the end of the first asker would be the end of all.
        let file = FileHandle(
            fileDescriptor: try FileDescriptor.open(path, .readWrite, options: .closeOnExec).rawValue)
        Thread.detachNewThread {
            while true {
                // Names are short, and what is shorter than a page is never torn.
                let text = String(decoding: file.availableData, as: UTF8.self)
                for line in text.split(whereSeparator: \.isNewline) { receive(String(line)) }
            }
        }
    }

    /// False when nobody listens.
    static func send(_ line: String, to path: FilePath) -> Bool {
        guard let file = try? FileDescriptor.open(path, .writeOnly, options: [.nonBlocking]) else { return false }
        defer { try? file.close() }
        return (try? file.writeAll("\(line)\n".utf8)) != nil
    }
}
