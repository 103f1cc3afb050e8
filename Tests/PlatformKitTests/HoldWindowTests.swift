import Testing

@testable import PlatformKit

@Suite struct HoldWindowTests {
    private static func step(_ window: inout HoldWindow, isServed: Bool, isReady: Bool) -> (Bool, Int?) {
        window.step(isServed: isServed, isReady: isReady)
    }

    private static func isStale(_ timer: Int, _ window: inout HoldWindow) -> Bool { !window.end(timer) }

    @Test func `an application that is not to run is answered at once`() {
        var window = HoldWindow()
        #expect(Self.step(&window, isServed: false, isReady: false) == (false, nil))
    }

    @Test func `requests wait from the end of the last instance for a time, and again after the next one`() {
        var window = HoldWindow()
        #expect(Self.step(&window, isServed: true, isReady: true) == (true, nil))
        #expect(Self.step(&window, isServed: true, isReady: false) == (true, 1))
        #expect(Self.step(&window, isServed: true, isReady: false) == (true, nil))
        let isOver = window.end(1)
        #expect(isOver)
        #expect(Self.step(&window, isServed: true, isReady: false) == (false, nil))
        #expect(Self.step(&window, isServed: true, isReady: true) == (true, nil))
        #expect(Self.step(&window, isServed: true, isReady: false) == (true, 2))
    }

    @Test func `a timer of a wait that ended well means nothing`() {
        var window = HoldWindow()
        #expect(Self.step(&window, isServed: true, isReady: false) == (true, 1))
        #expect(Self.step(&window, isServed: true, isReady: true) == (true, nil))
        #expect(Self.isStale(1, &window))
        #expect(Self.step(&window, isServed: true, isReady: false) == (true, 2))
        #expect(Self.isStale(1, &window))
        #expect(Self.step(&window, isServed: true, isReady: false) == (true, nil))
    }
}
