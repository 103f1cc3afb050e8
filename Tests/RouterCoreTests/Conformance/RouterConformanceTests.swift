import Logging
import NIOCore
import RouterCore
import Testing

/// The router, run through every case, one after the other, on one port.
@Suite(.serialized, .routerUnderTest, .timeLimit(.minutes(2))) struct `The router conforms` {
    @Test(arguments: try CaseLibrary.all())
    func `in each case`(_ conformanceCase: ProxyCase) async throws {
        let runner = try #require(RouterUnderTest.runner)
        let observation = try await runner.run(conformanceCase)
        let problems = conformanceCase.problems(in: observation)
        guard !problems.isEmpty else { return }
        Issue.record(
            """
            \(conformanceCase.testDescription) (\(conformanceCase.source))
            \(problems.map { "- \($0)" }.joined(separator: "\n"))
            \(observation.transcript)
            """)
    }
}

/// One router and one instance for the whole suite.
struct RouterUnderTest: SuiteTrait, TestScoping {
    @TaskLocal static var runner: CaseRunner?

    @concurrent func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        try await Self.run { runner in
            try await Self.$runner.withValue(runner) { try await function() }
        }
    }

    /// Runs a router and its instance for the length of `body`.
    static func run(_ body: (CaseRunner) async throws -> Void) async throws {
        try await CaseInstance.run { instance in
            var configuration = Router.Configuration(host: "127.0.0.1", port: 0)
            configuration.maxRequestBodyBytes = CaseRunner.bodyLimit
            var logger = Logger(label: "conformance")
            logger.logLevel = .critical
            let router = Router(configuration: configuration, logger: logger)
            let address = BackendAddress.ip(host: "127.0.0.1", port: instance.port)
            try router.setRoute(
                ApplicationRoute(
                    application: "a", hosts: ["*"], backends: [Backend(id: BackendID("web.1"), address: address)]))
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await router.run() }
                let port = Int(try await router.listening().first?.split(separator: ":").last ?? "") ?? 0
                let result: Result<Void, any Error>
                do {
                    result = .success(try await body(CaseRunner(instance: instance, port: port, limit: .seconds(10))))
                } catch { result = .failure(error) }
                group.cancelAll()
                try await group.waitForAll()
                try result.get()
            }
        }
    }
}

extension Trait where Self == RouterUnderTest {
    static var routerUnderTest: Self { Self() }
}
