import Testing

@testable import RouterCore

@Suite struct `A router's configuration` {
    @Test(arguments: [1, 1024]) func `has some threads for what may block`(count: Int) throws {
        var configuration = Router.Configuration()
        configuration.blockingThreads = count
        try configuration.check()
    }

    @Test(arguments: [0, 1025]) func `has neither none of them nor any number`(count: Int) {
        var configuration = Router.Configuration()
        configuration.blockingThreads = count
        let error = #expect(throws: RouterError.self) { try configuration.check() }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message.contains("\(count)") == true)
    }
}
