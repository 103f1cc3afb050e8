import Foundation
import PlatformWire
import SystemPackage
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.timeLimit(.minutes(10))) struct GuestbookTests {
        @Test func `a push of the guestbook is served, and shows what visitors wrote`() async throws {
            try await withTemporaryDirectory { directory in
                try await withTestHost(data: directory.appending("data")) { host in
                    try await host.create("guestbook")
                    let tree = try await WorkTree(at: directory.appending("guestbook"), sample: "guestbook")
                    let push = try await host.push("guestbook", from: tree)
                    try #require(push.status == 0, "\(push)")
                    #expect(push.error.contains("remote: -----> Python application detected"), "\(push)")
                    #expect(push.error.contains("guestbook.localhost"), "\(push)")

                    let wrote = try await host.post("guestbook", "/", form: "name=Ada&message=Hello%20%3Cb%3Ethere")
                    #expect((200..<400).contains(wrote.status), "\(wrote)")
                    let page = try await host.get("guestbook")
                    #expect(page.status == 200)
                    #expect(page.text.contains("Ada"), "\(page)")
                    #expect(page.text.contains("Hello &lt;b&gt;there"), "\(page)")

                    // What visitors wrote is beside the releases and their instances.
                    let restart = try await host.slipway("ps", "restart", "--app", "guestbook")
                    #expect(restart.status == 0, "\(restart)")
                    #expect(try await host.get("guestbook").text.contains("Ada"))
                }
            }
        }
    }
}
