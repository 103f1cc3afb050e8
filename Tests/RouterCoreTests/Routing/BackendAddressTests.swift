import Testing

@testable import RouterCore

@Suite struct `The address of an instance` {
    @Test(arguments: [
        ("127.0.0.1:5000", BackendAddress.ip(host: "127.0.0.1", port: 5000)),
        ("localhost:80", .ip(host: "localhost", port: 80)), ("[::1]:5000", .ip(host: "::1", port: 5000)),
        ("[::]:0", .ip(host: "::", port: 0)), ("127.0.0.1:65535", .ip(host: "127.0.0.1", port: 65535)),
        ("unix:/run/web.sock", .unix(path: "/run/web.sock")), ("unix:[::1]:1", .unix(path: "[::1]:1")),
    ])
    func `is read as it was written`(text: String, address: BackendAddress) {
        #expect(BackendAddress(text) == address)
        #expect(address.description == text)
    }

    @Test(arguments: [
        "", "::1", "::1:5000", "fe80::1%eth0:80", "[::1]", "[::1]:", "[::1]5000", "[]:80", "[[::1]]:80", "[::1:80",
        "::1]:80", "[localhost]:80", "localhost", "localhost:", ":80", "localhost:+80", "localhost:-1", "localhost: 80",
        "localhost:65536", "localhost:99999999999999999999", "localhost:http", "unix:",
    ])
    func `is nothing else`(text: String) {
        #expect(BackendAddress(text) == nil)
    }
}
