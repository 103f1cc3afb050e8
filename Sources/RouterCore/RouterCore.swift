public import ServiceLifecycle
public import Logging
public struct BackendID: Hashable, Sendable, Codable, CustomStringConvertible { public init(_ rawValue: String){self.rawValue=rawValue}; public var rawValue: String; public var description: String {rawValue} }
public enum BackendAddress: Hashable, Sendable { case ip(host: String, port: Int); case unix(path: String) }
public struct Backend: Hashable, Sendable { public var id: BackendID; public var address: BackendAddress; public init(id: BackendID, address: BackendAddress){self.id=id;self.address=address} }
public struct ApplicationRoute: Sendable, Hashable { public enum Mode: Sendable, Hashable { case serving, maintenance(html: String?) }
 public init(application: String, hosts: [String], backends: [Backend], mode: Mode){} }
public struct RouterError: Error, Sendable {}
public struct RouterErrorCode: Sendable {}
public struct DrainReport: Sendable {}
public protocol RequestObserver: Sendable { func requestFinished(_ record: RequestRecord) }
public struct RequestRecord: Sendable { public var application: String?; public var backend: BackendID?; public var method, host, path: String; public var status: Int; public var errorCode: RouterErrorCode?; public var requestBytes, responseBytes: Int; public var total, queue, connect, firstByte: Duration; public var requestID: String; public var retries: Int; public var upgraded: Bool }
public final class Router: Service, Sendable {
 public struct Configuration: Sendable { public var host = ""; public var port = 0; public init() {} }
 public init(configuration: Configuration, observer: any RequestObserver, logger: Logger) {}
 public func run() async throws {}
 public func listening() async throws -> [String] {[]}
 public func setRoute(_ route: ApplicationRoute) throws(RouterError) {}
 public func removeRoute(application: String) {}
 public func drain(_ backends: Set<BackendID>, grace: Duration) async -> DrainReport { .init() }
}
