/// Small applications that tests write, break and change.
enum SampleSources {
    /// A Node.js application that says which release it is, gives back digests of what it is sent, and does nothing
    /// for a graceful end: like most.
    static let echo: [String: String] = [
        "package.json": #"{ "name": "echo", "version": "1.0.0", "private": true }"#,
        "Procfile": "web: node server.js\nworker: node worker.js\n",
        "server.js": """
        const http = require('http');
        const crypto = require('crypto');
        http.createServer((request, response) => {
          const hash = crypto.createHash('sha256');
          request.on('data', (chunk) => hash.update(chunk));
          request.on('end', () => {
            response.setHeader('x-release', process.env.SLIPWAY_RELEASE);
            response.setHeader('x-process', process.env.SLIPWAY_PROCESS);
            response.end(request.method === 'POST' ? hash.digest('hex') : `hello ${process.env.GREETING || 'world'}`);
          });
        }).listen(process.env.PORT, () => console.log('listening as ' + process.pid));
        """,
        "worker.js": "console.log('working as ' + process.pid); setInterval(() => {}, 1000);\n",
    ]
}
