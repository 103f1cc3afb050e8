import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import ProcessSupervisor

@Suite struct StartGateTests {
    @Test func `lets as many in as there is room for, and the others in their order`() {
        let gate = StartGate(limit: 2)
        let entered = Mutex<[Int]>([])
        for number in 0..<5 { gate.enter { entered.withLock { $0.append(number) } } }
        #expect(entered.withLock { $0 } == [0, 1])
        for last in 2..<5 {
            gate.leave()
            #expect(entered.withLock { $0 } == Array(0...last))
        }
        // All have left: there is room for two again, and no more.
        for _ in 0..<2 { gate.leave() }
        for number in 5..<8 { gate.enter { entered.withLock { $0.append(number) } } }
        #expect(entered.withLock { $0 } == Array(0...6))
    }

    @Test func `a limit of nothing would start nothing`() {
        let gate = StartGate(limit: 0)
        let entered = Mutex(false)
        gate.enter { entered.withLock { $0 = true } }
        #expect(entered.withLock { $0 })
    }
}

@Suite struct RecordStoreTests {
    @Test func `a record that is written over is the newer one, and what is left beside it is no record`() async throws
    {
        try await withTemporaryDirectory { directory in
            let store = RecordStore(stateDirectory: directory)
            try RecordStore.makeDirectory(directory)
            try store.prepare()
            let spec = InstanceSpec(
                id: "a", process: ProcessSpec(arguments: ["true"], environment: [:], workingDirectory: "/"))
            for pid in [Int32](1...4) {
                try store.save(InstanceRecord(spec: spec, phase: .running, startID: "s", bootID: "b", pid: pid))
                let found = try store.load()
                #expect(found.records.map(\.pid) == [pid] && found.unreadable.isEmpty)
            }
            store.remove("a")
            #expect(try store.load().records.isEmpty)
        }
    }
}
