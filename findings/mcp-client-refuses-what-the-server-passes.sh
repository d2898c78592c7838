#!/usr/bin/env bash
# The official MCP server sends structured content that the official client refuses.
# @modelcontextprotocol/server and client 2.4.0, zod 4.6.7
#
# A good guess: what passes the server's own check against a tool's output schema passes the client's, which checks the
# same answer against the same schema.
# What happens: the server checks with zod, whose z.object allows further properties and leaves them in. The schema that
# it lists for the same tool says additionalProperties: false. So a result with one field more leaves the server
# unchanged, as a success, and the client throws an error instead of giving it to the caller. An input with a field more
# is accepted: there the listed schema says nothing.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{ "private": true, "type": "module", "allowScripts": { "node": true } }' >package.json
npm install --silent --no-audit --no-fund @modelcontextprotocol/server@2.4.0 @modelcontextprotocol/client@2.4.0 zod@4.6.7 node@26.10.0
export PATH="$dir/node_modules/.bin:$PATH"

cat >case.mjs <<'END'
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { z } from "zod";

if (process.argv[2] === "server") {
  serveStdio(() => {
    const server = new McpServer({ name: "shop", version: "1.0.0" });
    server.registerTool(
      "count",
      { inputSchema: z.object({ sku: z.string() }), outputSchema: z.object({ quantity: z.number() }) },
      async () => ({ content: [], structuredContent: { quantity: 9, warehouse: "north" } }),
    );
    return server;
  });
} else {
  const client = new Client({ name: "agent", version: "1.0.0" });
  await client.connect(new StdioClientTransport({ command: process.execPath, args: ["case.mjs", "server"] }));
  const { tools } = await client.listTools();
  console.log("input: ", JSON.stringify(tools[0].inputSchema.additionalProperties));
  console.log("output:", JSON.stringify(tools[0].outputSchema.additionalProperties));
  await client.callTool({ name: "count", arguments: { sku: "A-1", colour: "grey" } }).then(
    (result) => console.log("result", JSON.stringify(result)),
    (error) => console.log(error.message),
  );
  await client.close();
}
END

cat >expected <<'END'
input:  undefined
output: false
Structured content does not match the tool's output schema: data must NOT have additional properties
END

node case.mjs | tee seen
diff expected seen
echo "as described"
