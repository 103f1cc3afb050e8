import CProcessLauncher
import SystemPackage

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The records of a supervisor: `<state>/instances/<name>/record.json`, beside each instance's FIFO.
///
/// Only the owner may read them: they hold config.
struct RecordStore: Sendable {
    let directory: FilePath

    init(stateDirectory: FilePath) { self.directory = stateDirectory.appending("instances") }

    func prepare() throws(SupervisorError) { try Self.makeDirectory(self.directory) }

    func directory(of id: InstanceID) -> FilePath { self.directory.appending(id.fileName) }

    /// What an instance has for its processes, beside its record.
    enum Channel: String, CaseIterable { case output, notification }
    func path(of channel: Channel, _ id: InstanceID) -> FilePath { self.directory(of: id).appending(channel.rawValue) }

    /// Writes a record so that a reader finds the old one or the new one, even after a loss of power; which of them, is
    /// certain then as well, but where they differ in their process alone, which is gone in that case.
    func save(_ record: InstanceRecord) throws(SupervisorError) {
        let directory = self.directory(of: record.spec.id)
        try Self.makeDirectory(directory)
        let data: Data
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys]
            data = try encoder.encode(record)
        } catch {
            throw SupervisorError(
                code: .stateDirectory, message: "cannot encode the record of \(record.spec.id)", cause: error)
        }
        let temporary = directory.appending("record.json.new")
        do {
            let file = try FileDescriptor.open(
                temporary, .writeOnly, options: [.create, .truncate, .closeOnExec], permissions: .ownerReadWrite)
            try file.closeAfter {
                _ = try file.writeAll(data)
                if fsync(file.rawValue) != 0 { throw Errno(rawValue: errno) }
            }
            // The old one stays, to be written over: file systems are slow to delete and make files by the thousand.
            let error = slipway_replace(temporary.string, directory.appending("record.json").string)
            if error != 0 { throw Errno(rawValue: error) }
            if record.phase != .running { try Self.synchronize(directory) }
        } catch {
            throw SupervisorError(
                code: .stateDirectory, message: "cannot write the record of \(record.spec.id) in \(directory)",
                cause: error)
        }
    }

    /// Makes a fresh FIFO for a start; what an older process still writes goes nowhere.
    func makeFIFO(_ channel: Channel, for id: InstanceID) throws(SupervisorError) -> FilePath {
        let path = self.path(of: channel, id)
        try Self.makeDirectory(self.directory(of: id))
        _ = unlink(path.string)
        guard mkfifo(path.string, 0o600) == 0 else {
            throw SupervisorError(
                code: .stateDirectory, message: "cannot make the FIFO \(path): \(describe(errno: errno))")
        }
        return path
    }

    /// Forgets an instance.
    func remove(_ id: InstanceID) {
        let directory = self.directory(of: id)
        // The record first: without it the rest means nothing.
        for name in ["record.json", "record.json.new"] + Channel.allCases.map(\.rawValue) {
            _ = unlink(directory.appending(name).string)
        }
        _ = rmdir(directory.string)
    }

    /// What a former host left: records, and the directories whose record cannot be read, with the reason.
    func load() throws(SupervisorError) -> (records: [InstanceRecord], unreadable: [(name: String, reason: String)]) {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: self.directory.string).sorted()
        } catch {
            throw SupervisorError(
                code: .stateDirectory, message: "cannot list the records in \(self.directory)", cause: error)
        }
        var records: [InstanceRecord] = []
        var unreadable: [(name: String, reason: String)] = []
        for name in names {
            let path = self.directory.appending(name).appending("record.json")
            guard let data = FileManager.default.contents(atPath: path.string) else {
                // The host died between making the directory and writing the record: nothing was started.
                self.removeLeftover(name)
                continue
            }
            do {
                let record = try JSONDecoder().decode(InstanceRecord.self, from: data)
                guard record.version == 1 else { throw UnknownVersion(version: record.version) }
                guard record.spec.id.fileName == name else { throw MisplacedRecord(id: record.spec.id) }
                records.append(record)
            } catch {
                unreadable.append((name, "\(error)"))
            }
        }
        return (records, unreadable)
    }

    private struct UnknownVersion: Error { var version: Int }
    private struct MisplacedRecord: Error { var id: InstanceID }

    private func removeLeftover(_ name: String) {
        for file in ["record.json.new"] + Channel.allCases.map(\.rawValue) {
            _ = unlink(self.directory.appending(name).appending(file).string)
        }
        _ = rmdir(self.directory.appending(name).string)
    }

    static func makeDirectory(_ path: FilePath) throws(SupervisorError) {
        if mkdir(path.string, 0o700) == 0 || errno == EEXIST { return }
        do {
            try FileManager.default.createDirectory(
                atPath: path.string, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw SupervisorError(code: .stateDirectory, message: "cannot make the directory \(path)", cause: error)
        }
    }

    private static func synchronize(_ directory: FilePath) throws {
        let file = try FileDescriptor.open(directory, .readOnly, options: [.directory, .closeOnExec])
        try file.closeAfter {
            if fsync(file.rawValue) != 0 { throw Errno(rawValue: errno) }
        }
    }
}
