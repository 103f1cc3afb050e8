import Foundation
import SystemPackage
import TestSupport

/// What somebody else's server made of bytes.
struct OtherReading: Decodable, Sendable {
    struct Request: Decodable, Hashable, Sendable, CustomStringConvertible {
        var method: String
        var target: String
        /// In base 64.
        var body: String
        var description: String {
            "\(self.method) \(self.target) \(String(decoding: Data(base64Encoded: self.body) ?? Data(), as: UTF8.self))"
        }
    }
    /// The requests that are whole, in order.
    var requests: [Request]
    /// Whether it refused to read on.
    var refused: Bool
}

/// A server of another make that reads bytes instead of connections.
struct OtherParser: Sendable, CustomStringConvertible {
    var description: String
    private var program: String
    private var arguments: [String]

    /// What each of the inputs is to it, in order; the program is started once for all of them.
    func read(_ inputs: [[UInt8]]) async throws -> [OtherReading] {
        let lines = inputs.map { Data($0).base64EncodedString() }.joined(separator: "\n")
        let result = try await withTemporaryDirectory { directory in
            // Not over a pipe, which would break here when the program fails.
            let file = directory.appending("inputs").string
            try (lines + "\n").write(toFile: file, atomically: false, encoding: .utf8)
            return try await Program.run(self.program, self.arguments + [file])
        }
        guard result.status == 0 else { throw ScriptSocket.Failure(description: "\(self): \(result)") }
        return try result.output.split(separator: "\n").map {
            try JSONDecoder().decode(OtherReading.self, from: Data($0.utf8))
        }
    }

    /// Node's `http` server, whose parser is llhttp.
    static let node = OtherParser(
        description: "Node", program: "node",
        arguments: [
            "-e",
            """
            const fs = require('fs'), http = require('http'), { Duplex } = require('stream'), readline = require('readline');
            let seen;
            const server = http.createServer({ insecureHTTPParser: false }, (request, response) => {
                const body = [];
                request.on('data', data => body.push(data));
                request.on('end', () => {
                    seen.requests.push({
                        method: request.method, target: request.url, body: Buffer.concat(body).toString('base64') });
                    response.end();
                });
            });
            server.on('clientError', (error, socket) => { seen.refused = true; socket.destroy(); });
            server.on('checkContinue', (request, response) => server.emit('request', request, response));
            server.on('checkExpectation', (request, response) => server.emit('request', request, response));
            const read = bytes => new Promise(resolve => {
                seen = { requests: [], refused: false };
                const socket = new Duplex({ read() {}, write(chunk, encoding, done) { done(); } });
                socket.on('close', () => resolve(seen));
                server.emit('connection', socket);
                socket.push(bytes);
                // What is complete has been read by then; the rest never will be.
                setImmediate(() => setImmediate(() => setImmediate(() => socket.destroy())));
            });
            (async () => {
                for await (const line of readline.createInterface({ input: fs.createReadStream(process.argv[1]) })) {
                    process.stdout.write(JSON.stringify(await read(Buffer.from(line, 'base64'))) + '\\n');
                }
            })();
            """,
        ])

    /// The parser of Python's `http.server`, with as much for bodies as it leaves to its users.
    static let python = OtherParser(
        description: "Python", program: "python3",
        arguments: [
            "-c",
            """
            import base64, io, json, sys
            from http.server import BaseHTTPRequestHandler

            class Handler(BaseHTTPRequestHandler):
                protocol_version = 'HTTP/1.1'
                def __init__(self, data):
                    self.rfile, self.wfile = io.BytesIO(data), io.BytesIO()
                    self.requests, self.refused = [], False
                    try: self.handle()
                    except ValueError: self.refused = True
                def __getattr__(self, name):
                    if name.startswith('do_'): return self.serve
                    raise AttributeError(name)
                def send_error(self, *arguments): self.refused = self.close_connection = True
                def handle_expect_100(self): return True
                def log_message(self, *arguments): pass
                def body(self):
                    if self.headers.get('Transfer-Encoding') == 'chunked':
                        data = b''
                        while True:
                            size = int(self.rfile.readline().strip(), 16)
                            if size == 0: break
                            data += self.rfile.read(size)
                            if self.rfile.readline() != b'\\r\\n': raise ValueError
                        while self.rfile.readline().strip(): pass
                        return data
                    return self.rfile.read(int(self.headers.get('Content-Length', 0)))
                def serve(self):
                    # Its `path` has leading slashes merged.
                    target = self.requestline.split(' ')[1]
                    self.requests.append({'method': self.command, 'target': target,
                                          'body': base64.b64encode(self.body()).decode()})

            for line in open(sys.argv[1]):
                handler = Handler(base64.b64decode(line))
                print(json.dumps({'requests': handler.requests, 'refused': handler.refused}))
            """,
        ])

    /// h11, which is as strict as the RFCs; where Python has it.
    static let h11 = OtherParser(
        description: "h11", program: "python3",
        arguments: [
            "-c",
            """
            import base64, json, sys, h11

            def read(data):
                requests, connection, body = [], h11.Connection(h11.SERVER), b''
                connection.receive_data(data)
                try:
                    while True:
                        event = connection.next_event()
                        if isinstance(event, h11.Request):
                            method, target, body = event.method.decode(), event.target.decode('latin-1'), b''
                        elif isinstance(event, h11.Data): body += event.data
                        elif isinstance(event, h11.EndOfMessage):
                            requests.append({'method': method, 'target': target,
                                             'body': base64.b64encode(body).decode()})
                            connection.send(h11.Response(status_code=200, headers=[('Content-Length', '0')]))
                            connection.send(h11.EndOfMessage())
                            if connection.our_state is not h11.DONE: break
                            connection.start_next_cycle()
                        else: break
                except h11.RemoteProtocolError: return {'requests': requests, 'refused': True}
                return {'requests': requests, 'refused': False}

            for line in open(sys.argv[1]): print(json.dumps(read(base64.b64decode(line))))
            """,
        ])

    /// Whether Python has a module.
    static func pythonHas(_ module: String) async -> Bool {
        (try? await Program.run("python3", ["-c", "import \(module)"]).status) == 0
    }
}
