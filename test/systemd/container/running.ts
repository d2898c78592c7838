// What happens to nexusd while it runs under systemd.

import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { type Machine, UNIT } from "./machine.ts";
import type { Scene } from "./scene.ts";

const WATCHDOG_S = 6;
/** A job that never ends: what a defect would look like. */
const STUCK_JOB = `export default {
  name: "stuck", description: "Never ends", kind: "cron", schedule: "* * * * * *", catchUp: "once",
  run: () => new Promise(() => {}),
};
`;

const statusText = (machine: Machine) => machine.property("StatusText");

export async function credentials({ report, machine, sandbox }: Scene): Promise<void> {
  await report.check("a credential that is missing is named, with what to do", async () => {
    machine.configure(configuration(sandbox));
    await machine.mark();
    notEqual((await machine.run(`systemctl restart ${UNIT}`)).code, 0);
    match(await machine.journal("-p err"), /nex\.api_key.*nex-api-key/s);
  });
  await report.check("credentials are read, and the status line says in words what runs", async () => {
    await machine.output("mkdir -p /etc/credstore && chmod 700 /etc/credstore");
    for (const [name, value] of Object.entries(sandbox.env))
      machine.put(`/etc/credstore/nexusd.${name.toLowerCase().replaceAll("_", "-")}`, value, 0o600);
    await machine.mark();
    await machine.output(`systemctl restart ${UNIT}`);
    await machine.until(
      "the status line",
      () => statusText(machine),
      /^polling 0 sessions, Nex live, Nexus ok$/,
    );
    notEqual(
      (await machine.run("runuser -u ann -- cat /run/credentials/nexusd.service/nex-api-key")).code,
      0,
    );
  });
  await report.check(
    "a clean start and run leave nothing of priority warning or above in the journal",
    async () => {
      match(await machine.journal(), /nexusd is ready/);
      equal(await machine.journal("-p warning"), "");
    },
  );
}

export async function reload({ report, machine, sandbox }: Scene): Promise<void> {
  await report.check("a reload takes a new setting, in the same process", async () => {
    const before = await machine.property("MainPID");
    machine.configure(configuration(sandbox).replace("[nexus]\nenabled = true", "[nexus]\nenabled = false"));
    await machine.output(`systemctl reload ${UNIT}`);
    await machine.until("the status line", () => statusText(machine), /^polling 0 sessions, Nex live$/);
    equal(await machine.property("MainPID"), before);
    equal(await machine.property("ActiveState"), "active");
  });
  await report.check(
    "a reload of a wrong configuration says what is wrong, and the old one stays",
    async () => {
      const before = await machine.property("MainPID");
      await machine.mark();
      machine.configure(`${configuration(sandbox)}[nonsense]\nkey = 1\n`);
      await machine.run(`systemctl reload ${UNIT}`);
      await machine.until("the journal", () => machine.journal("-p err"), /nonsense/);
      match(await statusText(machine), /^polling 0 sessions, Nex live$/);
      equal(await machine.property("MainPID"), before);
      machine.configure(configuration(sandbox));
      await machine.output(`systemctl reload ${UNIT}`);
    },
  );
}

export async function kill({ report, machine, sandbox }: Scene): Promise<void> {
  await report.check("after SIGKILL it is started again, and nothing is lost or told twice", async () => {
    const session = await sandbox.createSession();
    await machine.ctl("ann", `messaging join ${session} --alias room`);
    await machine.ctl("ann", "consumers create reader --from oldest --type messaging.message.received");
    const texts = async () => {
      const lines = await machine.ctl("ann", "consumers events reader --limit 100");
      return lines
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line).data.text);
    };
    await sandbox.say(session, "before");
    await machine.until("the log", async () => JSON.stringify(await texts()), /before/);
    const pid = await machine.property("MainPID");
    await machine.output(`kill -KILL ${pid}`);
    await sandbox.say(session, "meanwhile");
    await machine.until("the restart", () => machine.property("NRestarts"), /^[1-9]/);
    await machine.until("the service", () => machine.property("ActiveState"), /^active$/);
    notEqual(await machine.property("MainPID"), pid);
    await sandbox.say(session, "after");
    await machine.until("the log", async () => JSON.stringify(await texts()), /after/);
    deepEqual(await texts(), ["before", "meanwhile", "after"]);
    const said = await machine.ctl("ann", "db check").catch(() => "");
    ok(!/"ok":false/.test(said), said);
  });
}

export async function watchdog({ report, machine, sandbox }: Scene): Promise<void> {
  await report.check(
    "a job that does not move any more is named, and the watchdog restarts nexusd",
    async () => {
      await machine.output("mkdir -p /etc/nexusd/jobs /etc/systemd/system/nexusd.service.d");
      machine.put("/etc/nexusd/jobs/stuck.mjs", STUCK_JOB);
      machine.put(
        "/etc/systemd/system/nexusd.service.d/test.conf",
        `[Service]\nWatchdogSec=${WATCHDOG_S}\nRestartSec=1\n`,
      );
      machine.configure(`${configuration(sandbox)}[jobs]\ndirectory = "/etc/nexusd/jobs"\n`);
      await machine.mark();
      await machine.output(`systemctl daemon-reload && systemctl restart ${UNIT}`);
      const pid = await machine.property("MainPID");
      await machine.until("the journal", () => machine.journal(), /Failed with result 'watchdog'/);
      match(await machine.journal("-p err"), /the job stuck does not move/);
      await machine.until(
        "the next process",
        () => machine.property("MainPID"),
        new RegExp(`^(?!${pid}$|0$)`),
      );
    },
  );
  await report.check("without it the same watchdog is content", async () => {
    await machine.output("rm -r /etc/nexusd/jobs");
    machine.configure(configuration(sandbox));
    await machine.output(`systemctl restart ${UNIT}`);
    const pid = await machine.property("MainPID");
    // More than the bound after which the job above was found.
    await machine.output(`sleep ${WATCHDOG_S * 5}`);
    equal(await machine.property("MainPID"), pid);
    await machine.output(`rm -r /etc/systemd/system/nexusd.service.d && systemctl daemon-reload`);
  });
}

export async function failure({ report, machine, sandbox }: Scene): Promise<void> {
  await report.check(
    "a service that fails is a warning in the journal, as nexusd, which runs on",
    async () => {
      await machine.mark();
      sandbox.process.kill("SIGKILL");
      await machine.until(
        "the journal",
        () => machine.journal("-p warning"),
        /nex.*(refused|ECONNREFUSED|failed)/is,
      );
      const priorities = (await machine.journal("-p warning -o json"))
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      for (const { PRIORITY, SYSLOG_IDENTIFIER } of priorities) {
        ok(Number(PRIORITY) <= 4);
        equal(SYSLOG_IDENTIFIER, "nexusd");
      }
      equal(await machine.property("ActiveState"), "active");
    },
  );
}

const configuration = ({ messaging, nex, nexus }: Scene["sandbox"]): string => `[messaging]
enabled = true
base_url = "${messaging}"
[nex]
enabled = true
base_url = "${nex}"
api_key = { source = "credential", id = "nex-api-key" }
[nexus]
enabled = true
base_url = "${nexus}"
api_key = { source = "credential", id = "nexus-api-key" }
anon_key = { source = "credential", id = "nexus-anon-key" }
`;
