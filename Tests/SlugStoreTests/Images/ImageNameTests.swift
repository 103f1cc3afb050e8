import SlugStoreTesting
import SystemPackage
import TestSupport
import Testing

@testable import SlugStore

/// Many who give names in one layout.
@Suite struct ImageNameTests {
    private func image(_ number: Int) -> ImageDescriptor {
        ImageDescriptor(
            mediaType: ImageMediaType.manifest, digest: "sha256:\(ChunkID(of: Array("\(number)".utf8)))", size: 1)
    }

    @Test func `nobody undoes what somebody else names at the same time`() async throws {
        try await withTemporaryDirectory { directory in
            try ImageLayout(directory: directory.appending("layout")).prepare()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<8 {
                    group.addTask {
                        // Each with a value of its own, as two programs have.
                        let layout = ImageLayout(directory: directory.appending("layout"), lockTimeout: .seconds(300))
                        for number in 0..<10 {
                            try await layout.name(self.image(writer), as: "writer-\(writer)-\(number)")
                        }
                    }
                }
                try await group.waitForAll()
            }
            let images = try await ImageLayout(directory: directory.appending("layout")).images()
            #expect(images.count == 80)
            for writer in 0..<8 { #expect(images["writer-\(writer)-9"]?.digest == self.image(writer).digest) }
        }
    }

    @Test func `whoever is kept waiting for too long is told`() async throws {
        try await withTemporaryDirectory { directory in
            let clock = ManualClock()
            let layout = ImageLayout(
                directory: directory.appending("layout"), lockTimeout: .milliseconds(50), clock: clock)
            try layout.prepare()
            let held = try #require(try layout.lock())
            async let error = slugStoreError { () throws(SlugStoreError) in
                try await layout.name(self.image(1), as: "one")
            }
            for _ in 0..<2 {
                await clock.sleepers(atLeast: 1)
                clock.advance(by: .milliseconds(25))
            }
            #expect(await error?.code == .busy)
            withExtendedLifetime(held) {}
        }
    }
}
