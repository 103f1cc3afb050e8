internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import PlatformKit
internal import PlatformWire

/// Turns whatever a route throws into a problem document, and never shows what is inside.
struct ProblemMiddleware: RouterMiddleware {
    func handle(
        _ request: Request, context: APIContext, next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        var response: Response
        do {
            response = try await next(request, context)
        } catch let error where error is IOError || error is ChannelError {
            // The connection broke while the request was read: nobody is there to answer.
            throw error
        } catch {
            response = .problem(Problem(error, logger: context.logger))
        }
        if let contentTypeOptions = HTTPField.Name("X-Content-Type-Options") {
            response.headers[contentTypeOptions] = "nosniff"
        }
        if response.headers[.cacheControl] == nil { response.headers[.cacheControl] = "no-store" }
        return response
    }
}

extension Problem {
    /// What an error means to a client. What only the operator may see goes to the log.
    init(_ error: any Error, logger: Logger) {
        switch error {
        case let problem as Problem:
            self = problem
        case let error as PlatformError:
            self = error.problem
            if self.status >= 500, let cause = error.cause {
                logger.info(
                    "an operation failed", metadata: ["error": "\(error.message)", "error.cause": "\(cause)"])
            }
        case let error as HTTPError:
            self = Problem(status: error.status, detail: error.body)
        case is NIOTooManyBytesError:
            self = Problem(
                type: "limit", title: "Over a limit", status: 413, detail: "The request's body is too large.")
        case is CancellationError:
            self = Problem(
                type: "cancelled", title: "Cancelled", status: 409, detail: "The operation was cancelled.")
        default:
            logger.info("a request failed unexpectedly", metadata: ["error": "\(error)"])
            self = Problem(
                type: "internal-error", title: "Internal error", status: 500,
                detail: "The host failed to do this. Its own log says why.")
        }
    }

    private init(status: HTTPResponse.Status, detail: String?) {
        switch status {
        case .notFound:
            self = Problem(
                type: "not-found", title: "Not found", status: 404,
                detail: "There is nothing here by that method and path; see /api/openapi.json.")
        case .contentTooLarge:
            self = Problem(
                type: "limit", title: "Over a limit", status: 413, detail: "The request's body is too large.")
        default:
            self = Problem(
                type: status.code < 500 ? "invalid" : "internal-error", title: status.reasonPhrase,
                status: status.code, detail: detail ?? status.reasonPhrase)
        }
    }
}
