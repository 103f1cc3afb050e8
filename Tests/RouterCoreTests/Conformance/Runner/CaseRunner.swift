import NIOCore
import Synchronization

/// Runs cases, one after the other, against a proxy on a port of the loopback, in front of an instance of its own.
final class CaseRunner: Sendable {
    /// The largest body that the cases suppose to be accepted.
    static let bodyLimit = 1 << 20

    private let instance: CaseInstance
    private let port: Int
    private let limit: TimeAmount
    private let probes = Atomic(0)

    /// - Parameter limit: how long anything that should happen may take.
    init(instance: CaseInstance, port: Int, limit: TimeAmount) {
        self.instance = instance
        self.port = port
        self.limit = limit
    }

    func run(_ conformanceCase: ProxyCase) async throws -> Observation {
        let session = CaseSession(scripts: conformanceCase.instance, limit: self.limit)
        self.instance.play(session)
        var client = ScriptedClient(
            try await WireConnection.connect(port: self.port), session, steps: conformanceCase.client)
        await client.play(conformanceCase.client)
        let count = conformanceCase.outcomes.first?.answers.count { $0.isFinal && !$0.isOptional } ?? 0
        var observation = Observation()
        observation.ending = await client.finish(expecting: count, probe: self.nextProbe())
        await client.close()
        observation.problems += try await self.askFromElsewhere()
        await session.finish()
        self.instance.play(nil)

        let state = session.state.value
        observation.requests = state.requests.map(\.message)
        observation.answers = client.answers
        observation.problems += client.problems
        observation.problems += observation.requests.flatMap(\.problems).map { "a malformed request is sent: \($0)" }
        observation.problems += observation.answers.flatMap(\.problems).map { "a malformed answer is sent: \($0)" }
        observation.problems += state.stalls
        return observation
    }

    private func nextProbe() -> Int { self.probes.add(1, ordering: .relaxed).newValue }

    /// Whatever one client does, another one gets its own answer.
    private func askFromElsewhere() async throws -> [String] {
        let number = self.nextProbe()
        let connection = try await WireConnection.connect(port: self.port)
        await connection.send(Probe.request(number))
        func answer(_ received: WireConnection.Received) -> SeenMessage? {
            SeenMessage.answer(received.bytes[...], ended: received.isEnded, toHead: false)
        }
        _ = await connection.received.wait(atMost: self.limit) { received in
            received.isEnded
                || SeenMessage.answer(received.bytes[...], ended: false, toHead: false)?.body.isComplete == true
        }
        let received = connection.received.value
        await connection.close()
        guard let message = answer(received) else { return ["another client gets no answer"] }
        return Probe.isAnswer(message, to: number)
            ? [] : ["another client gets '\(CaseText.readable(message.wire))'"]
    }
}
