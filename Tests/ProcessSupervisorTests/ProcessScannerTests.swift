import Dispatch
import Synchronization
import Testing

@testable import ProcessSupervisor

@Suite struct `Looking at all processes` {
    @Test func `who asks during a look waits for the next one, and all who wait share it`() async {
        let looks = Mutex(0)
        let (begun, mayBegin) = AsyncStream<Void>.makeStream()
        let first = DispatchSemaphore(value: 0)
        let scanner = ProcessScanner {
            let number = looks.withLock { looks in
                looks += 1
                return looks
            }
            mayBegin.yield()
            if number == 1 { first.wait() }
            return ProcessSnapshot(processes: [Self.entry(Int32(number))], readMarks: { _ in [] })
        }
        async let early = scanner.snapshot()
        var beginnings = begun.makeAsyncIterator()
        await beginnings.next()
        let late = await withTaskGroup(of: Int32?.self) { group in
            for _ in 0..<100 { group.addTask { await scanner.snapshot().processes.first?.pid } }
            while scanner.waitingCount < 100 { await Task.yield() }
            first.signal()
            return await group.reduce(into: Set<Int32?>()) { $0.insert($1) }
        }
        #expect(await early.processes.first?.pid == 1)
        #expect(late == [2])
        #expect(looks.withLock { $0 } == 2)
        // And one that comes later has one of its own.
        #expect(await scanner.snapshot().processes.first?.pid == 3)
    }

    @Test func `the marks of a process are read once for all who ask`() {
        let reads = Mutex(0)
        let snapshot = ProcessSnapshot(
            processes: [],
            readMarks: { pid in
                reads.withLock { $0 += 1 }
                return ["start-\(pid)"]
            })
        for _ in 0..<3 { #expect(snapshot.marks(of: 7) == ["start-7"]) }
        #expect(reads.withLock { $0 } == 1)
    }

    @Test(arguments: [("abc", true), ("abc.probe", true), ("abcd", false), ("ab", false), ("", false)])
    func `a mark is that of a start, or of what runs on its behalf`(mark: String, isOurs: Bool) {
        #expect(ProcessTree.mark(mark, isOf: "abc") == isOurs)
    }

    private static func entry(_ pid: Int32) -> ProcessEntry {
        ProcessEntry(
            pid: pid, parent: 1, group: pid, session: pid, startTime: 1, state: UInt8(ascii: "S"), residentLimit: 0,
            exitCode: 0)
    }
}
