// The other ways to run nexusd from the package: an instance of the template, and one person's service.

import { deepEqual, equal, match } from "node:assert/strict";
import type { Scene } from "./scene.ts";

const NOTHING_ON = ["messaging", "nex", "nexus"].map((name) => `[${name}]\nenabled = false\n`).join("");

/** It stays, for the upgrade and the removal to find. */
export async function instance({ report, machine }: Scene): Promise<void> {
  await report.check("an instance of the template runs beside the service, with its own files", async () => {
    const control = `[control]\nagent_socket = "/run/nexusd/one/agent.sock"\noperator_socket = "/run/nexusd/one/operator.sock"\n`;
    machine.put(
      "/etc/nexusd/one.toml",
      `[daemon]\ndata_dir = "/var/lib/nexusd-one"\n${control}${NOTHING_ON}`,
    );
    await machine.output("systemctl enable --now nexusd@one");
    const places = "/run/nexusd/one/agent.sock /run/nexusd/one/operator.sock /var/lib/nexusd-one";
    deepEqual((await machine.output(`stat -c '%n %U %G %a' ${places}`)).trim().split("\n"), [
      "/run/nexusd/one/agent.sock nexusd nexusd-agents 660",
      "/run/nexusd/one/operator.sock nexusd nexusd-operators 660",
      "/var/lib/nexusd-one nexusd nexusd 700",
    ]);
    const epochAt = async (socket: string) =>
      JSON.parse(await machine.ctl("ann", `status --socket ${socket}`)).epoch;
    const [one, plain] = [
      await epochAt("/run/nexusd/one/agent.sock"),
      await epochAt("/run/nexusd/agent.sock"),
    ];
    equal(one === plain, false);
    // The sockets of both are in the same directory, which must survive the stop of one.
    await machine.output("systemctl restart nexusd.service && systemctl restart nexusd@one.service");
    equal(await epochAt("/run/nexusd/one/agent.sock"), one);
    equal(await epochAt("/run/nexusd/agent.sock"), plain);
    await machine.output("systemctl reload nexusd@one");
    await machine.output("cp -p /etc/nexusd/one.toml /tmp/ && echo nonsense >> /etc/nexusd/one.toml");
    equal((await machine.run("systemctl reload nexusd@one")).code, 1);
    await machine.output("mv /tmp/one.toml /etc/nexusd/one.toml && systemctl reload nexusd@one");
  });
}

export async function personal({ report, machine }: Scene): Promise<void> {
  await report.check("one person runs it for herself, without root", async () => {
    const uid = (await machine.output("useradd -m pia && id -u pia")).trim();
    // What a login would set: no one logs in here.
    const login = "/etc/systemd/system/user@.service.d/test.conf";
    await machine.output(`mkdir -p $(dirname ${login})`);
    machine.put(login, "[Service]\nEnvironment=XDG_RUNTIME_DIR=/run/user/%i\n");
    await machine.output(`systemctl daemon-reload && systemctl start user@${uid}`);
    const pia = async (command: string) =>
      await machine.output(
        `runuser -u pia -- env HOME=/home/pia XDG_RUNTIME_DIR=/run/user/${uid} sh -c 'cd; ${command}'`,
      );
    await pia("mkdir -p .config/nexusd");
    machine.put(
      "/home/pia/.config/nexusd/nexusd.toml",
      `[daemon]\ndata_dir = "/home/pia/nexusd"\n${NOTHING_ON}`,
    );
    await pia("systemctl --user enable --now nexusd");
    const status = async () => await pia("systemctl --user show -P StatusText nexusd");
    equal((await status()).trim(), "running; every service is disabled");
    match(await pia("nexusctl status --config .config/nexusd/nexusd.toml"), /"version"/);
    await pia("systemctl --user reload nexusd");
    await machine.output("echo nonsense >> /home/pia/.config/nexusd/nexusd.toml");
    match(await pia("systemctl --user reload nexusd; echo exit $?"), /^exit 1$/m);
    equal((await pia("systemctl --user is-active nexusd")).trim(), "active");
    deepEqual((await machine.output("stat -c '%U %a' /home/pia/nexusd/*.sock")).trim().split("\n"), [
      "pia 660",
      "pia 600",
    ]);
    await pia("systemctl --user disable --now nexusd");
    await machine.output(
      `systemctl stop user@${uid} && rm -r $(dirname ${login}) && userdel -r pia 2>/dev/null`,
    );
  });
}
