// The package's life on a machine: it installs, starts, upgrades, is removed and purged.

import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { ulid } from "ulid";
import { migrate, readMigrations } from "../../../src/store/sqlite/migrate.ts";
import { UNIT } from "./machine.ts";
import type { Scene } from "./scene.ts";

const UNITS = [UNIT, "nexusd-agent.socket", "nexusd-operator.socket"];
const INSTANCES = ["nexusd@one.service", "nexusd-agent@one.socket", "nexusd-operator@one.socket"];
const HIGHEST_EXPOSURE = 1.3;
const OLD_EVENTS = 500;

export async function install({ report, machine, packages }: Scene): Promise<void> {
  await report.check("the package installs, and the service is active once nexusd says READY", async () => {
    await machine.output(`dpkg -i ${packages.older}`);
    equal(await machine.property("Type"), "notify");
    equal(await machine.property("ActiveState"), "active");
    equal(await machine.property("NRestarts"), "0");
    for (const unit of UNITS) equal((await machine.output(`systemctl is-enabled ${unit}`)).trim(), "enabled");
  });
  await report.check("systemd-analyze verify finds nothing in any unit", async () => {
    const { stdout, stderr } = await machine.run(
      `systemd-analyze verify ${[...UNITS, ...INSTANCES].join(" ")}`,
    );
    equal(stdout + stderr, "");
    const user = await machine.run(
      "mkdir -p /run/user/0 && XDG_RUNTIME_DIR=/run/user/0 systemd-analyze --user verify /usr/lib/systemd/user/nexusd.service",
    );
    deepEqual([user.code, user.stdout + user.stderr], [0, ""]);
  });
  await report.check("the sockets have their owners, groups and modes", async () => {
    const stat = await machine.output(
      "stat -c '%n %U %G %a' /run/nexusd/agent.sock /run/nexusd/operator.sock",
    );
    deepEqual(stat.trim().split("\n"), [
      "/run/nexusd/agent.sock nexusd nexusd-agents 660",
      "/run/nexusd/operator.sock nexusd nexusd-operators 660",
    ]);
  });
  await report.check("an agent is served at agent.sock and refused at operator.sock", async () => {
    await machine.output(
      "useradd -m ann -G nexusd-agents && useradd -m olga -G nexusd-agents,nexusd-operators",
    );
    const connect = async (user: string, socket: string, options = "", path = "/v1/health") =>
      (
        await machine.run(
          `runuser -u ${user} -- curl -s -o /dev/null -w '%{http_code}' ${options} --unix-socket /run/nexusd/${socket}.sock http://localhost${path}; echo " $?"`,
        )
      ).stdout.trim();
    equal(await connect("ann", "agent"), "200 0");
    // 7: no connection.
    equal(await connect("ann", "operator"), "000 7");
    equal(await connect("nobody", "agent"), "000 7");
    equal(await connect("olga", "agent"), "200 0");
    equal(await connect("olga", "operator"), "200 0");
    equal(await connect("ann", "agent", "-X POST", "/v1/reload"), "403 0");
    equal(await connect("olga", "agent", "-X POST", "/v1/reload"), "403 0");
    equal(await connect("olga", "operator", "-X POST", "/v1/reload"), "200 0");
  });
  await report.check("nexusctl finds the sockets where the configuration is not for its user", async () => {
    notEqual((await machine.run("runuser -u ann -- cat /etc/nexusd/nexusd.toml")).code, 0);
    match(await machine.ctl("ann", "status"), /"version"/);
    match(await machine.ctl("olga", "jobs run retention"), /"retention"/);
    match((await machine.run("runuser -u ann -- nexusctl jobs run retention")).stderr, /operator\.sock/);
  });
  await report.check(`systemd-analyze security says ${HIGHEST_EXPOSURE} or less while it runs`, async () => {
    const said = await machine.output(`systemd-analyze security ${UNIT} --no-pager`);
    const level = Number(/Overall exposure level for nexusd.service: ([\d.]+)/.exec(said)?.[1]);
    ok(level <= HIGHEST_EXPOSURE, `it is ${level}`);
    equal(await machine.property("ActiveState"), "active");
  });
}

/** A log of the first schema, in a package with an older version. */
export async function upgrade({ report, machine, packages }: Scene): Promise<void> {
  await report.check(
    "an upgrade takes a database of the first schema along, and restarts into it",
    async () => {
      await machine.output(`systemctl stop ${UNITS.join(" ")}`);
      const directory = mkdtempSync(join(tmpdir(), "nexusd-"));
      const epoch = writeFirstSchema(directory);
      await machine.output("rm -f /var/lib/nexusd/nexusd.db*");
      machine.put("/var/lib/nexusd/nexusd.db", readFileSync(join(directory, "nexusd.db")), 0o600);
      rmSync(directory, { recursive: true });
      await machine.output("chown nexusd:nexusd /var/lib/nexusd/nexusd.db");
      const instance = await machine.output("systemctl show -P MainPID nexusd@one");
      // More time is requested before the migration, and only READY ends the start.
      const told = await machine.notifications(async () => {
        await machine.output(`dpkg -i ${packages.current}`);
      });
      match(told, /EXTEND_TIMEOUT_USEC=\d+.*READY=1/s);
      equal(await machine.property("ActiveState"), "active");
      match(await machine.output("dpkg -s nexusd"), /Status: install ok installed/);
      match(await machine.output("systemctl is-active nexusd@one"), /^active$/m);
      notEqual(await machine.output("systemctl show -P MainPID nexusd@one"), instance);
      const status = JSON.parse(await machine.ctl("ann", "status"));
      equal(status.epoch, epoch);
      const lines = await machine.ctl("ann", `events --limit ${OLD_EVENTS}`);
      const events = lines
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      deepEqual(
        events.map(({ data }) => data.state),
        Array.from({ length: OLD_EVENTS }, (_, n) => `${n}`),
      );
      match(await machine.ctl("ann", "consumers show reader"), /"position":123/);
      match(
        (await machine.run("nexusctl doctor")).stdout,
        new RegExp(`schema version ${readMigrations().length}\\b`),
      );
    },
  );
  await report.check("an upgrade leaves a service that was disabled as it is", async () => {
    await machine.output(`systemctl disable --now ${UNITS.join(" ")}`);
    await machine.output(`dpkg -i ${packages.older} && dpkg -i ${packages.current}`);
    const states = await machine.run(`systemctl is-active ${UNITS.join(" ")}`);
    equal(states.stdout, "inactive\n".repeat(UNITS.length));
    const enabled = await machine.run(`systemctl is-enabled ${UNITS.join(" ")}`);
    equal(enabled.stdout, "disabled\n".repeat(UNITS.length));
    await machine.output(`systemctl enable --now ${UNITS.join(" ")}`);
  });
}

function writeFirstSchema(directory: string): string {
  const db = new Database(join(directory, "nexusd.db"));
  migrate(db, readMigrations().slice(0, 1));
  const epoch = ulid();
  db.prepare("INSERT INTO meta (key, value) VALUES ('epoch', ?)").run(epoch);
  const insert = db.prepare("INSERT INTO events (id, source, type, time, data) VALUES (?, '/test', ?, ?, ?)");
  const time = new Date().toISOString();
  for (let n = 0; n < OLD_EVENTS; n++)
    insert.run(ulid(), "nexusd.service.recovered", time, JSON.stringify({ service: "nex", state: `${n}` }));
  db.prepare("INSERT INTO consumers VALUES ('reader', 123, NULL, ?, ?)").run(time, time);
  db.close();
  return epoch;
}

export async function remove({ report, machine }: Scene): Promise<void> {
  await report.check("its removal leaves data, configuration and secrets", async () => {
    await machine.output("dpkg -r nexusd");
    const left =
      "/var/lib/nexusd/nexusd.db /etc/nexusd/nexusd.toml /etc/credstore/nexusd.nex-api-key /var/lib/nexusd-one /etc/nexusd/one.toml";
    await machine.output(`ls ${left}`);
    equal((await machine.run("pgrep -u nexusd")).stdout, "");
    equal((await machine.run("ls /run/nexusd/*.sock /run/nexusd/*/*.sock 2>/dev/null")).stdout, "");
  });
  await report.check("a purge leaves nothing", async () => {
    await machine.output("dpkg -P nexusd");
    const found = await machine.run(
      "find / -xdev -name .cache -prune -o -path /proc -prune -o -path /debs -prune -o -path /opt -prune -o -name '*nexusd*' -print 2>/dev/null",
    );
    // dpkg's log and the journal belong to the machine, caches to those who ran nexusctl; the user stays, by Debian's rules.
    deepEqual(
      found.stdout
        .split("\n")
        .filter((path) => path !== "" && !/^\/(var\/log|var\/lib\/(dpkg|systemd))\//.test(path)),
      [],
    );
    equal((await machine.run("systemctl list-unit-files --no-legend 'nexusd*'")).stdout, "");
  });
}
