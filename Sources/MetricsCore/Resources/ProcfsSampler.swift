public import SystemPackage

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif
#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Samples processes through Linux' `/proc`.
///
/// A process's tree is what descends from it, and everything in its session when it leads one: daemons that were orphaned
/// on purpose are still found. One look at `/proc` serves any number of processes, so prefer ``sample(all:)`` for several.
public struct ProcfsSampler: ResourceSampler {
    private let root: FilePath
    private let pageBytes: Int64
    private let ticksPerSecond: Int64
    private let countsOpenFiles: Bool

    /// Makes a sampler.
    ///
    /// - Parameters:
    ///   - root: Where the proc file system is mounted.
    ///   - pageBytes: The size of a memory page; `nil` asks the system.
    ///   - ticksPerSecond: The unit of CPU times; `nil` asks the system.
    ///   - countsOpenFiles: Whether to list the descriptors of each process, which costs as much as all the rest.
    public init(
        root: FilePath = "/proc", pageBytes: Int64? = nil, ticksPerSecond: Int64? = nil, countsOpenFiles: Bool = true
    ) {
        self.root = root
        self.pageBytes = max(1, pageBytes ?? Int64(sysconf(Int32(_SC_PAGESIZE))))
        self.ticksPerSecond = max(1, ticksPerSecond ?? Int64(sysconf(Int32(_SC_CLK_TCK))))
        self.countsOpenFiles = countsOpenFiles
    }

    /// What the process and its descendants use now.
    public func sample(_ pid: Int32) throws(MetricsError) -> ResourceUsage {
        guard let usage = try self.sample(all: CollectionOfOne(pid))[pid] else {
            throw MetricsError(.processNotFound, "No process \(pid) in \(self.root): it has ended.")
        }
        return usage
    }

    /// What each of several processes and its descendants use now; those that are gone are left out.
    public func sample(all pids: some Collection<Int32>) throws(MetricsError) -> [Int32: ResourceUsage] {
        let table = ProcessTable(try self.processes())
        var result: [Int32: ResourceUsage] = [:]
        for pid in pids {
            let tree = table.tree(of: pid)
            guard !tree.isEmpty else { continue }
            result[pid] = self.usage(tree)
        }
        return result
    }

    private func usage(_ tree: [ProcessStat]) -> ResourceUsage {
        var pages: Int64 = 0
        var ticks: Int64 = 0
        var openFiles: Int?
        for process in tree {
            pages &+= process.residentPages
            ticks &+= process.ticks
            guard self.countsOpenFiles, let count = self.openFiles(process.pid) else { continue }
            openFiles = (openFiles ?? 0) + count
        }
        let (seconds, rest) = ticks.quotientAndRemainder(dividingBy: self.ticksPerSecond)
        return ResourceUsage(
            residentBytes: pages.multipliedReportingOverflow(by: self.pageBytes).partialValue,
            cpuTime: .seconds(seconds) + .milliseconds(rest &* 1_000 / self.ticksPerSecond),
            processes: tree.count, openFiles: openFiles)
    }

    private func processes() throws(MetricsError) -> [ProcessStat] {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: self.root.string)
        } catch {
            throw MetricsError(.procfs, "Cannot list \(self.root): mount the proc file system there.", cause: error)
        }
        var buffer = [UInt8](repeating: 0, count: 2_048)
        var result: [ProcessStat] = []
        for name in names {
            guard let pid = Int32(name), pid > 0 else { continue }
            // A process that has ended since the listing has no file any more, and counts no more.
            guard let count = self.read(self.root.appending(name).appending("stat"), into: &buffer),
                let stat = ProcessStat(buffer[..<count]), stat.pid == pid
            else { continue }
            result.append(stat)
        }
        return result
    }

    private func read(_ path: FilePath, into buffer: inout [UInt8]) -> Int? {
        guard let file = try? FileDescriptor.open(path, .readOnly, options: .closeOnExec) else { return nil }
        return try? file.closeAfter { try buffer.withUnsafeMutableBytes { try file.read(into: $0) } }
    }

    private func openFiles(_ pid: Int32) -> Int? {
        let path = self.root.appending(String(pid)).appending("fd")
        return try? FileManager.default.contentsOfDirectory(atPath: path.string).count
    }
}

/// All processes at one moment, by parent and by session.
struct ProcessTable {
    private var processes: [Int32: ProcessStat] = [:]
    private var children: [Int32: [Int32]] = [:]
    private var sessions: [Int32: [Int32]] = [:]

    init(_ all: [ProcessStat]) {
        for process in all {
            self.processes[process.pid] = process
            self.children[process.parent, default: []].append(process.pid)
            self.sessions[process.session, default: []].append(process.pid)
        }
    }

    /// The process and all that belongs to it; empty when it is gone.
    func tree(of pid: Int32) -> [ProcessStat] {
        guard let root = self.processes[pid] else { return [] }
        var seen: Set<Int32> = []
        var result: [ProcessStat] = []
        var waiting = [pid]
        if root.session == pid { waiting += self.sessions[pid] ?? [] }
        while let next = waiting.popLast() {
            guard seen.insert(next).inserted, let process = self.processes[next] else { continue }
            result.append(process)
            waiting += self.children[next] ?? []
        }
        return result
    }
}
