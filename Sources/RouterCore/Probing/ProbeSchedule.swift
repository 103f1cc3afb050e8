import DequeModule

/// Which instances are asked when, and what their answers come to.
///
/// A value without a clock and without probes: the time is told, since some beginning, and chance is a parameter.
struct ProbeSchedule {
    /// A probe that is to be made now.
    struct Question: Sendable {
        var application: String
        var backend: Backend
        var settings: ProbeSettings
        /// Which of the instances that have had this name.
        fileprivate var number: Int
    }

    /// What an answer has come to.
    struct Verdict: Equatable {
        var isHealthy: Bool
        var isNews: Bool
    }

    private struct Entry {
        var backend: Backend
        var settings: ProbeSettings
        var machine: ProbeMachine
        var due: Duration
        /// It is being asked, or waits for room.
        var isAsking = false
        var number: Int
    }

    private var applications: [String: [Entry]] = [:]
    /// Those whose time has come, and for which there was no room, by application.
    private var waiting: [String: Deque<Int>] = [:]
    /// Whose turn it is; every application with somebody waiting once. So one whose instances hang, each for as long as a
    /// probe may take, makes nobody wait but itself.
    private var turns: Deque<String> = []
    private var asking = 0
    private var askingFor: [String: Int] = [:]
    private var lastNumber = 0
    private let ceiling: Int
    private let ceilingPerApplication: Int
    /// When to ask for what is ``due(now:)`` again; nil when nothing will be before an answer or a new route.
    private(set) var nextDue: Duration?

    /// - Parameters:
    ///   - ceiling: how many probes may be going on at once.
    ///   - ceilingPerApplication: how many of them for one application.
    init(ceiling: Int, ceilingPerApplication: Int = .max) {
        self.ceiling = ceiling
        self.ceilingPerApplication = ceilingPerApplication
    }

    /// An application's route is now this. Returns the instances that nobody asks any more while they are unhealthy.
    mutating func set(
        _ application: String, _ route: ApplicationRoute?, now: Duration, random: inout some RandomNumberGenerator
    ) -> [Backend] {
        var old = self.applications.removeValue(forKey: application) ?? []
        guard let route, let settings = route.probe else {
            return old.filter { !$0.machine.isHealthy }.map(\.backend)
        }
        var entries: [Entry] = []
        for backend in route.backends {
            var entry: Entry
            if let index = old.firstIndex(where: {
                $0.backend.id == backend.id && $0.backend.address == backend.address
            }) {
                entry = old.remove(at: index)
                entry.backend = backend
                entry.settings = settings
                entry.due = min(entry.due, now + settings.interval)
            } else {
                // Those that come together are not asked together.
                let delay = settings.initialDelay + settings.interval * (Self.chance(&random) * settings.jitter)
                self.lastNumber += 1
                entry = Entry(
                    backend: backend, settings: settings, machine: ProbeMachine(isHealthy: settings.startsHealthy),
                    due: now + delay, number: self.lastNumber)
            }
            self.expect(entry.due)
            entries.append(entry)
        }
        self.applications[application] = entries
        return old.filter { !$0.machine.isHealthy }.map(\.backend)
    }

    private mutating func expect(_ due: Duration) { self.nextDue = min(self.nextDue ?? due, due) }

    /// The probes whose time has come and for which there is room. It looks at every instance, so do not ask all the time.
    mutating func due(now: Duration) -> [Question] {
        var due: [(application: String, index: Int, due: Duration)] = []
        self.nextDue = nil
        for (application, entries) in self.applications {
            for (index, entry) in entries.enumerated() where !entry.isAsking {
                if entry.due <= now { due.append((application, index, entry.due)) } else { self.expect(entry.due) }
            }
        }
        due.sort { ($0.due, $0.application, $0.index) < ($1.due, $1.application, $1.index) }
        for (application, index, _) in due {
            self.applications[application]?[index].isAsking = true
            guard let number = self.applications[application]?[index].number else { continue }
            if self.waiting[application] == nil { self.turns.append(application) }
            self.waiting[application, default: []].append(number)
        }
        return self.next()
    }

    /// The probes for which there is room: one of each application in turn, the one that has waited longest.
    mutating func next() -> [Question] {
        var questions: [Question] = []
        // In a row: after as many as there are, nobody may go.
        var passedOver = 0
        while self.asking < self.ceiling, passedOver < self.turns.count, let application = self.turns.popFirst() {
            guard self.askingFor[application, default: 0] < self.ceilingPerApplication else {
                self.turns.append(application)
                passedOver += 1
                continue
            }
            passedOver = 0
            guard let number = self.waiting[application]?.popFirst() else { continue }
            if self.waiting[application]?.isEmpty == false {
                self.turns.append(application)
            } else {
                self.waiting[application] = nil
            }
            // It may have left its route meanwhile.
            guard let entry = self.applications[application]?.first(where: { $0.number == number }) else { continue }
            self.asking += 1
            self.askingFor[application, default: 0] += 1
            questions.append(
                Question(application: application, backend: entry.backend, settings: entry.settings, number: number))
        }
        return questions
    }

    /// A probe has ended. Nil when nobody wants to know any more.
    mutating func answered(
        _ question: Question, _ report: HealthReport, now: Duration, random: inout some RandomNumberGenerator
    ) -> Verdict? {
        self.asking -= 1
        let others = self.askingFor[question.application, default: 1] - 1
        self.askingFor[question.application] = others > 0 ? others : nil
        guard let index = self.applications[question.application]?.firstIndex(where: { $0.number == question.number }),
            var entry = self.applications[question.application]?[index]
        else { return nil }
        let isNews = entry.machine.note(
            passed: report.isPassed, rise: entry.settings.rise, fall: entry.settings.fall)
        let stretch = 1 + (2 * Self.chance(&random) - 1) * entry.settings.jitter
        entry.due = now + entry.settings.interval * stretch
        entry.isAsking = false
        self.expect(entry.due)
        self.applications[question.application]?[index] = entry
        return Verdict(isHealthy: entry.machine.isHealthy, isNews: isNews)
    }

    /// From 0 to just below 1.
    private static func chance(_ random: inout some RandomNumberGenerator) -> Double {
        Double(random.next() >> 11) * 0x1p-53
    }

    /// Every instance that is unhealthy, by application.
    var unhealthy: [(application: String, backend: Backend)] {
        self.applications.flatMap { application, entries in
            entries.filter { !$0.machine.isHealthy }.map { (application, $0.backend) }
        }
    }
}
