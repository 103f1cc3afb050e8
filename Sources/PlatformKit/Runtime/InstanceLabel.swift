internal import PlatformWire
internal import ProcessSupervisor

/// The labels by which an instance is known again, also after a restart of the host.
enum InstanceLabel {
    static let application = "slipway.application"
    static let processType = "slipway.process-type"
    static let number = "slipway.number"
    static let release = "slipway.release"
    static let serial = "slipway.serial"
    static let size = "slipway.size"

    static func labels(for request: WorkloadRequest) -> [String: String] {
        [
            Self.application: request.applicationID,
            Self.processType: request.processType,
            Self.number: "\(request.number)",
            Self.release: "\(request.release)",
            Self.serial: "\(request.serial)",
            Self.size: request.size.name,
        ]
    }

    /// Unique among all instances that there ever were: `APPLICATION/web.1@v3-12`.
    static func id(for request: WorkloadRequest) -> String {
        "\(request.applicationID)/\(request.name)@v\(request.release)-\(request.serial)"
    }

    /// `web.1`, from such an identity.
    static func name(of id: String) -> String {
        String(id[(id.lastIndex(of: "/").map { id.index(after: $0) } ?? id.startIndex)...].prefix { $0 != "@" })
    }

    /// `web.1`, if these are the labels of an instance.
    static func name(_ labels: [String: String]) -> String? {
        guard let type = labels[Self.processType], let number = labels[Self.number] else { return nil }
        return "\(type).\(number)"
    }
}

extension WorkloadInstance {
    init?(status: InstanceStatus) {
        guard let application = status.labels[InstanceLabel.application],
            let type = status.labels[InstanceLabel.processType],
            let number = status.labels[InstanceLabel.number].flatMap({ Int($0) }),
            let release = status.labels[InstanceLabel.release].flatMap({ Int($0) }),
            let serial = status.labels[InstanceLabel.serial].flatMap({ Int($0) })
        else { return nil }
        let phase: Phase =
            switch status.state {
            case .starting: .starting
            case .ready: .ready
            case .unready: .unready
            case .backingOff: .backingOff
            case .stopping: .stopping
            case .failed: .failed
            case .stopped: .stopped
            }
        self.init(
            id: status.id.rawValue, applicationID: application, processType: type, number: number, release: release,
            serial: serial, phase: phase, pid: status.pid, port: status.port, host: status.host,
            startedAt: status.startedAt,
            restarts: status.restarts, lastExit: status.lastEnd ?? status.lastExit.map { "\($0)" },
            lastProbe: status.lastProbe.map(\.detail), size: status.labels[InstanceLabel.size],
            // Not by a label: what it was started as says it, also of those that hosts before have started.
            user: status.user?.uid)
    }
}

extension WorkloadEvent {
    init?(event: SupervisorEvent) {
        guard let application = event.labels[InstanceLabel.application], let name = InstanceLabel.name(event.labels)
        else { return nil }
        self.applicationID = application
        self.name = name
        self.isCrash = false
        switch event.kind {
        case .started(let pid, let port):
            self.text = "Started with pid \(pid)" + (port.map { " on port \($0)" } ?? "") + ", \(event.cause)"
        case .ready: self.text = "Ready"
        case .unready: self.text = "Not ready: \(event.cause)"
        case .memoryHigh(let used, let soft):
            self.text = "Uses much memory: \(used >> 20) MB, with a soft limit of \(soft >> 20) MB"
        case .outputDropped(let lines, let bytes):
            self.text = "Wrote \(event.cause): \(lines) lines, \(bytes) bytes were dropped"
        case .commandFailed(let moment): self.text = "Its \(moment.rawValue) command failed: \(event.cause)"
        case .ending: self.text = "Is being ended: \(event.cause)"
        case .exited(let status, let delay):
            switch event.cause {
            case .request, .recycling, .formerHost: break  // wanted, or told by the host before
            default: self.isCrash = delay != nil
            }
            self.text =
                "Ended: \(status)" + Self.reason(event.cause, beside: status)
                + (delay.map { "; starts again in \(Self.seconds($0)) s" } ?? "")
        case .gaveUp(let restarts):
            self.text = "Not started again, after \(restarts) restarts in a row; the last time: \(event.cause)"
        case .stopping: self.text = "Stopping"
        case .stopped(let status): self.text = "Stopped" + (status.map { ": \($0)" } ?? "")
        case .adopted(let pid, _): self.text = "Adopted pid \(pid) from the host before"
        }
    }

    /// For what it was ended, where its status does not say that.
    private static func reason(_ cause: SupervisorEvent.Cause, beside status: ExitStatus) -> String {
        switch cause {
        case .bootTimeout, .liveness, .outOfMemory, .recycling:
            "\(cause)" == "\(status)" ? "" : " (\(cause))"
        default: ""
        }
    }

    private static func seconds(_ duration: Duration) -> String {
        let milliseconds = duration.components.seconds * 1_000 + duration.components.attoseconds / 1_000_000_000_000_000
        return "\(milliseconds / 1_000).\(milliseconds % 1_000 / 100)"
    }
}
