import Logging
import RouterCore

let configuration = Router.Configuration(host: "127.0.0.1", port: 8000)
let router = Router(configuration: configuration, logger: Logger(label: "router"))
try router.setRoute(
    ApplicationRoute(
        application: "hello", hosts: ["hello.localhost"],
        backends: [Backend(id: BackendID("hello-1"), address: .ip(host: "127.0.0.1", port: 3000))]))
try await router.run()
