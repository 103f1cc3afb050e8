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

    /// Writes what waits of one log before it returns, in the calling thread, for lines that are nowhere else any more: what
    /// the operating system has outlives the end of this process, however that comes.
    public func store(_ application: String) {
        guard self.configuration.directory != nil else { return }
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
