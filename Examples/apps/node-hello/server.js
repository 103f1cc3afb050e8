// GET / says hello; POST /echo answers with the body it got, and its SHA-256 in a header.
const http = require("node:http");
const { createHash } = require("node:crypto");

const limit = 10 * 1024 * 1024;

const server = http.createServer((request, response) => {
  const { pathname } = new URL(request.url, "http://localhost");
  if (request.method === "POST" && pathname === "/echo") return echo(request, response);
  if (pathname === "/healthz") return response.end("ok\n");
  if (pathname !== "/") {
    response.statusCode = 404;
    return response.end("not found\n");
  }
  response.setHeader("Content-Type", "text/plain; charset=utf-8");
  response.end(`Hello from ${process.env.SLIPWAY_PROCESS ?? "node"}, release ${process.env.SLIPWAY_RELEASE ?? "none"}\n`);
});

function echo(request, response) {
  const chunks = [];
  let size = 0;
  request.on("data", (chunk) => {
    size += chunk.length;
    if (size <= limit) return chunks.push(chunk);
    response.writeHead(413, { Connection: "close" });
    response.end("too large\n");
    request.removeAllListeners("data").resume();
  });
  request.on("end", () => {
    if (response.writableEnded) return;
    const body = Buffer.concat(chunks);
    response.setHeader("Content-Type", request.headers["content-type"] ?? "application/octet-stream");
    response.setHeader("X-Body-SHA256", createHash("sha256").update(body).digest("hex"));
    response.end(body);
  });
}

server.listen(Number(process.env.PORT ?? 3000), () => console.log(`listening on ${server.address().port}`));

// Finish the requests in flight, then go.
process.on("SIGTERM", () => {
  console.log("stopping");
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
