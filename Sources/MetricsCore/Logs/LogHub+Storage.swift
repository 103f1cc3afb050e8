internal import Dispatch
internal import Logging
internal import Synchronization

/// How lines get to the disk.
extension LogHub {
    /// Writes lines to disk every ``Configuration/flushInterval`` until the task is cancelled, and then the rest.
    ///
    /// Cancelling is how it ends, without an error. Without a directory it has nothing to write and only waits.
    public func run() async throws {
        while !Task.isCancelled {
            do {
                try await self.clock.sleep(for: self.configuration.flushInterval)
            } catch {
                break
            }
            await self.flush()
        }
        await self.flush()
    }

    /// Writes what waits for the disk and returns when the operating system has it. Does so in a cancelled task, too.
    public func flush() async {
        guard self.configuration.directory != nil else { return }
        await withCheckedContinuation { continuation in
            self.queue.async {
                self.write()
                continuation.resume()
            }
        }
    }

    /// Writes what waits of one log before it returns, for lines that are nowhere else any more: what the operating system
    /// has outlives the end of this process, however that comes.
    ///
    /// A disk that takes longer than ``Configuration/storeTimeout`` is not waited for, and then by nobody until it has
    /// caught up: the lines are written as soon as may be, and whoever brings them goes on.
    public func store(_ application: String) {
        guard self.configuration.directory != nil else { return }
        let mayWait = self.stores.withLock { stores -> Bool? in
            guard stores.queued.insert(application).inserted else { return nil }
            return !stores.isSlow
        }
        // What is queued already will take these lines as well.
        guard let mayWait else { return }
        let written = DispatchSemaphore(value: 0)
        self.queue.async {
            self.stores.withLock { _ = $0.queued.remove(application) }
            self.write(application)
            self.stores.withLock { if $0.queued.isEmpty { $0.isSlow = false } }
            written.signal()
        }
        let timeout = DispatchTimeInterval.microseconds(Int(self.configuration.storeTimeout / .microseconds(1)))
        guard mayWait, written.wait(timeout: .now() + timeout) == .timedOut else { return }
        self.stores.withLock { $0.isSlow = true }
    }

    private func write(_ application: String) {
        self.disk.withLock { disk in
            guard let log = self.state.withLock({ $0.logs[application] }) else { return }
            self.write(log, application, to: &disk)
        }
    }

    private func write() {
        self.disk.withLock { disk in
            let logs = self.state.withLock { $0.logs }
            for (name, log) in logs { self.write(log, name, to: &disk) }
        }
    }

    private func write(_ log: ApplicationLog, _ name: String, to disk: inout LogDirectory?) {
        guard LogDirectory.isStorable(name) else { return }
        var lines = log.takePending()[...]
        guard !lines.isEmpty else { return }
        do {
            try disk?.append(&lines, to: name)
            self.noteStorage(nil, name)
        } catch {
            log.returnPending(lines)
            self.noteStorage("the log cannot be written: \(error)", name)
        }
    }

    /// Keeps what is wrong, and says it once for as long as it stays wrong: a full disk would fill its own log.
    func noteStorage(_ failure: String?, _ application: String) {
        let before = self.state.withLock { state in
            let before = state.storageFailures[application]
            if failure != before { state.storageFailures[application] = failure }
            return before
        }
        if let failure, before == nil {
            self.logger.info("log not stored", metadata: ["app.name": "\(application)", "error": "\(failure)"])
        } else if failure == nil, before != nil {
            self.logger.info("log stored again", metadata: ["app.name": "\(application)"])
        }
    }
}
