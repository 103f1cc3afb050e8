internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// The dashboard: one page that holds all it needs, and asks the API for the rest with the token that it is given.
///
/// The page itself tells nothing, so anybody may have it. Its policy lets nothing run and nothing load but its own style
/// and script, which the browser knows by a number that is another one each time.
enum DashboardPage {
    static func response() -> Response {
        let nonce = (0..<4).map { _ in String(UInt32.random(in: .min ... .max), radix: 36) }.joined()
        var headers: HTTPFields = [.contentType: "text/html; charset=utf-8", .cacheControl: "no-store"]
        headers[.contentSecurityPolicy] = """
            default-src 'none'; script-src 'nonce-\(nonce)'; style-src 'nonce-\(nonce)'; connect-src 'self'; \
            img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'
            """
        if let referrerPolicy = HTTPField.Name("Referrer-Policy") { headers[referrerPolicy] = "no-referrer" }
        return Response(
            status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: Self.page(nonce: nonce))))
    }

    private static func page(nonce: String) -> String {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Slipway</title>
        <link rel="icon" href="\(Self.icon)">
        <style nonce="\(nonce)">
        \(Self.style)
        </style>
        </head>
        <body>
        \(Self.content)
        <script type="module" nonce="\(nonce)">
        \(Self.script)
        </script>
        </body>
        </html>

        """
    }

    private static let icon =
        "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
        + "%3Cpath d='M1 13 15 5v8z' fill='%230f766e'/%3E%3C/svg%3E"

    private static let content = #"""
        <header>
          <a class="brand" href="#"><svg viewBox="0 0 16 16" width="20" height="20" aria-hidden="true"><path d="M1 13 15 5v8z"/></svg>Slipway</a>
          <span id="state" role="status"></span>
          <button id="leave" class="quiet" hidden>Forget token</button>
        </header>
        <main>
          <form id="login" class="card" hidden>
            <h1>Access token</h1>
            <p>The host wrote one to <code>admin-token</code> in its data directory. It stays in this tab.</p>
            <div class="row"><input id="token" type="password" autocomplete="off" aria-label="Access token" required><button>Open</button></div>
            <p id="refusal" class="bad" role="alert"></p>
          </form>
          <section id="list" hidden>
            <h1>Applications</h1>
            <div class="card scroll"><table>
              <thead><tr><th>Name</th><th>State</th><th>Release</th><th class="n">Instances</th><th class="n">Requests/s</th><th class="n">p95</th><th class="n">Errors</th></tr></thead>
              <tbody id="applications"></tbody>
            </table>
            <p id="none" class="hint" hidden>There is no application yet. In a git work tree: <code>slipway apps create NAME</code>, then <code>git push slipway main</code>.</p></div>
          </section>
          <section id="detail" hidden>
            <p><a href="#">&larr; Applications</a></p>
            <h1><span id="name"></span> <a id="url" target="_blank" rel="noopener noreferrer"></a></h1>
            <div id="tiles"></div>
            <pre id="progress" class="log" hidden aria-live="polite"></pre>
            <div class="columns">
              <div class="card"><h2>Instances</h2><div class="scroll"><table><tbody id="instances"></tbody></table></div>
                <form id="scale" class="row"></form></div>
              <div class="card"><h2>Config</h2><table><tbody id="config"></tbody></table></div>
            </div>
            <div class="card"><h2>Releases</h2><div class="scroll"><table><tbody id="releases"></tbody></table></div></div>
            <div class="card"><h2>Log</h2><pre id="log" class="log" tabindex="0" aria-label="Log"></pre></div>
          </section>
        </main>
        """#
}
