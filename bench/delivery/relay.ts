// The alternative to a daemon: a process that pipes the bytes of the stream to a Unix socket.

import { createServer, get } from "node:http";

const [url = "", socketPath = ""] = process.argv.slice(2);
const server = createServer((_, response) => {
  response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
  const headers = { authorization: "Bearer sk-bench" };
  const upstream = get(`${url}/api/developers/v1/insights/stream`, { headers }, (stream) =>
    stream.pipe(response),
  );
  response.on("close", () => upstream.destroy());
});
server.listen(socketPath, () => console.log("ready"));
