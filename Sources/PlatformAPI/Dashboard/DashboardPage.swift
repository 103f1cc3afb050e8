internal import Hummingbird
enum DashboardPage { static func response() -> Response { .text("") } }
