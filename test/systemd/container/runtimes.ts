// The path units of docs/runtimes.md, on a systemd that can start something by them.

import { equal, match } from "node:assert/strict";
import { snippetOf } from "../../support/snippet.ts";
import { UNIT } from "./machine.ts";
import { configuration } from "./running.ts";
import type { Scene } from "./scene.ts";

const shown = (name: string) => `${snippetOf("runtimes.md", `path ${name}`)}\n`;

/** Reads what is pending, prints as which user, and acknowledges it. */
const WORKER = `#!/bin/sh
set -eu
id -un
nexusctl consumers events worker >"$RUNTIME_DIRECTORY/events"
cat "$RUNTIME_DIRECTORY/events"
nexusctl consumers ack worker "$(sed -n 's/.*"sequence":"\\([0-9]*\\)".*/\\1/p' "$RUNTIME_DIRECTORY/events" | tail -1)"
`;

export async function pathUnits({ report, machine, sandbox }: Scene): Promise<void> {
  await report.check("a wake starts the worker of a path unit, as a user of its own", async () => {
    const sink = shown("toml").replace("nexus.order.pending", "messaging.message.received");
    machine.configure(configuration(sandbox) + sink);
    machine.put("/etc/systemd/system/worker.path", shown("unit"));
    machine.put("/etc/systemd/system/worker.service", `${shown("service")}RuntimeDirectory=worker\n`);
    machine.put("/usr/local/bin/run-worker", WORKER, 0o755);
    await machine.output("useradd --system worker && systemctl daemon-reload");
    await machine.output(`systemctl enable --now worker.path && systemctl reload ${UNIT}`);
    const session = await sandbox.createSession();
    await machine.ctl("ann", `messaging join ${session} --alias bench`);
    await sandbox.say(session, "for the worker");
    const said = () => machine.output("journalctl -q --no-pager -o cat -u worker.service");
    match(await machine.until("the worker", said, /for the worker/), /^worker$/m);
    const pending = async () =>
      String(JSON.parse(await machine.ctl("ann", "consumers show worker")).pending.count);
    equal(await machine.until("its acknowledgement", pending, /^0$/), "0");

    await machine.output("systemctl disable --now worker.path && rm /etc/systemd/system/worker.*");
    machine.configure(configuration(sandbox));
    await machine.output(`systemctl daemon-reload && systemctl reload ${UNIT}`);
    await machine.ctl("ann", "consumers delete worker");
    await machine.ctl("ann", `messaging leave ${session}`);
  });
}
