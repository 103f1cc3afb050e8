import Foundation
import SystemPackage
import Testing

@testable import RouterCore

/// A browser loads a page that posts, listens to a stream of events and opens a WebSocket, and says what came of it.
@Suite(
    .timeLimit(.minutes(2)), .enabled(if: Program.has("chromium"), "Chromium is not installed")
) struct `With Chromium` {
    private static let page = """
        <!doctype html><title>A page</title><pre id=out></pre><img src=/when-reported>
        <script>
        const out = document.getElementById('out');
        const note = line => { out.textContent += line + '\\n'; };
        const posted = async () => {
            const body = 'x'.repeat(300000);
            const answer = await fetch('/echo', { method: 'POST', body });
            note('posted ' + answer.status + ' ' + (await answer.text() === body));
        };
        const many = async () => {
            const answers = await Promise.all([...Array(30).keys()].map(n => fetch('/ok?' + n)));
            note('many ' + answers.filter(answer => answer.ok).length);
        };
        // The next event is asked for when one has come: none may be kept waiting for more.
        const events = () => new Promise((resolve, reject) => {
            const source = new EventSource('/events');
            source.onmessage = event => {
                note('event ' + event.data);
                if (event.data === '3') { source.close(); resolve(); } else fetch('/more', { method: 'POST' });
            };
            source.onerror = () => reject('events');
        });
        const socket = () => new Promise((resolve, reject) => {
            const socket = new WebSocket('wss://' + location.host + '/chat');
            socket.onopen = () => socket.send('hello');
            socket.onmessage = message => { note('message ' + message.data); socket.close(1000); };
            socket.onclose = close => { note('closed ' + close.code + ' ' + close.wasClean); resolve(); };
            socket.onerror = () => reject('socket');
        });
        const run = async () => {
            note('protocol ' + performance.getEntriesByType('navigation')[0].nextHopProtocol);
            await posted();
            await many();
            await events();
            await socket();
        };
        run().catch(error => note('failed: ' + error)).finally(() => fetch('/report', { method: 'POST' }));
        </script>
        """

    private static func serve(_ socket: ScriptSocket, _ notes: Notes) throws {
        while true {
            let (head, body) = try socket.readMessage()
            let path = String(head.split(separator: " ")[1])
            func answer(_ type: String, _ body: String) throws {
                try socket.write(
                    "HTTP/1.1 200 OK\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
            }
            switch path {
            case "/": try answer("text/html", Self.page)
            case "/echo": try answer("text/plain", body)
            case "/events":
                try socket.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
                for number in 1...3 {
                    if number > 1 { try notes.wait(for: "/more", count: number - 1) }
                    try socket.write("data: \(number)\n\n")
                }
                return try socket.waitForHangUp()
            case "/chat":
                let field = head.components(separatedBy: "\r\n").first {
                    $0.lowercased().hasPrefix("sec-websocket-key: ")
                }
                let key = field.map { String($0.dropFirst(19)) } ?? ""
                try socket.write(
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
                        + "Sec-WebSocket-Accept: \(WebSocketFrames.accept(key))\r\n\r\n")
                return try WebSocketFrames.echo(on: socket)
            case "/when-reported":
                // The page is loaded when this has been answered.
                try notes.wait(for: "/report", count: 1)
                try answer("image/gif", "")
            default:
                notes.add(path)
                try answer("text/plain", "ok")
            }
        }
    }

    @Test(arguments: Driver.allCases) func `a page works over HTTPS and HTTP 2`(driver: Driver) async throws {
        let notes = Notes()
        let instance = try ScriptedInstance { socket, _ in try Self.serve(socket, notes) }
        try await PeerSetting.with(driver, instance: instance.port) { (setting, router) async throws in
            let result = try await Program.run(
                "chromium",
                [
                    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                    "--disable-background-networking", "--disable-component-update", "--ignore-certificate-errors",
                    "--user-data-dir=\(setting.directory.appending("profile").string)",
                    "--host-resolver-rules=MAP a.example 127.0.0.1", "--dump-dom",
                    "https://a.example:\(setting.secure)/",
                ])
            for line in [
                "protocol h2", "posted 200 true", "many 30", "event 1\nevent 2\nevent 3", "message hello",
                "closed 1000 true",
            ] {
                #expect(result.output.contains("\(line)\n"), "\(line): \(result)")
            }
            try await router.expectNothingIsLeft(port: setting.secure, instances: [instance.port], request: nil)
        }
        await instance.stop()
    }
}
