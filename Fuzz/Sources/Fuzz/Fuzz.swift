#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// What can be fuzzed, by the name that `dev/fuzz` is given.
let targets: [String: @Sendable (UnsafeRawBufferPointer) -> Void] = [
    "request": fuzzRequest, "response": fuzzResponse, "exchange": fuzzExchange, "http2-server": fuzzHTTP2Server,
    "http2-client": fuzzHTTP2Client, "hpack": fuzzHPACK, "proxy-header": fuzzProxyHeader,
    "client-hello": fuzzClientHello, "path": fuzzPath,
]

private func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

private let chosen: @Sendable (UnsafeRawBufferPointer) -> Void = {
    let name = variable("SLIPWAY_FUZZ_TARGET") ?? ""
    guard let target = targets[name] else {
        print("'\(name)' is none of \(targets.keys.sorted().joined(separator: ", "))")
        exit(64)
    }
    return target
}()

/// Writes the seeds and stops, when asked to.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(_ count: UnsafeMutablePointer<CInt>, _ arguments: UnsafeMutableRawPointer) -> CInt {
    if let cases = variable("SLIPWAY_FUZZ_CASES"), let corpus = variable("SLIPWAY_FUZZ_CORPUS") {
        Seeds(cases: cases, corpus: corpus).write()
        exit(0)
    }
    return 0
}

/// Called by the fuzzer with every input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    chosen(UnsafeRawBufferPointer(start: start, count: count))
    return 0
}

/// What holds for every input.
func require(_ condition: Bool, _ what: @autoclosure () -> String) {
    if !condition { fatalError(what()) }
}
