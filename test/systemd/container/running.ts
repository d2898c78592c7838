// Events in the life of nexusd under systemd.

import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { type Machine, UNIT } from "./machine.ts";
import type { Scene } from "./scene.ts";

const WATCHDOG_S = 6;
const DROP_IN = `/etc/systemd/system/${UNIT}.d`;
/** A job that never ends, as a defect would cause. */
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

export async function healthy({ report, machine }: Scene): Promise<void> {
  await report.check("doctor finds nothing to say of a healthy system, whoever runs it", async () => {
    await machine.until("the status line", () => statusText(machine), /Nex live, Nexus ok/);
    for (const user of ["ann", "olga", "nexusd", "root"]) {
      const { stdout } = await machine.run(`runuser -u ${user} -- nexusctl doctor`);
      const checks: { state: string }[] = JSON.parse(stdout);
      deepEqual([user, checks.filter(({ state }) => state !== "ok")], [user, []]);
    }
  });
}

/** One of sandbox/nexus-seed.sql. */
const PENDING_ORDER = "0a000000-0000-4000-8000-000000000505";
/** As docs/systemd.md says it. */
const ENCRYPTED = ["nex-api-key", "nexus-api-key", "nexus-anon-key"];

export async function encrypted({ report, machine }: Scene): Promise<void> {
  await report.check("encrypted credentials take the place of plain ones, by a drop-in", async () => {
    await machine.output("mkdir -p -m 700 /etc/credstore.encrypted && systemd-creds setup");
    for (const name of ENCRYPTED)
      await machine.output(
        `systemd-creds encrypt --name=${name} /etc/credstore/nexusd.${name} /etc/credstore.encrypted/nexusd.${name}`,
      );
    await machine.output(`mkdir ${DROP_IN} && mv /etc/credstore /etc/credstore.away`);
    const lines = ENCRYPTED.map((name) => `LoadCredentialEncrypted=${name}:nexusd.${name}\n`);
    machine.put(`${DROP_IN}/test.conf`, `[Service]\n${lines.join("")}`);
    await machine.output(`systemctl daemon-reload && systemctl restart ${UNIT}`);
    await machine.until("the status line", () => statusText(machine), /Nex live, Nexus ok/);
    await machine.output(
      `mv /etc/credstore.away /etc/credstore && rm -r ${DROP_IN} && systemctl daemon-reload`,
    );
    await machine.output(`systemctl restart ${UNIT}`);
  });
}

export async function approval({ report, machine }: Scene): Promise<void> {
  await report.check("what an agent proposes an operator approves, and the service gets it", async () => {
    await machine.until("the status line", () => statusText(machine), /Nexus ok/);
    const statusOf = async (order: string) =>
      JSON.parse(await machine.ctl("ann", `read nexus.orders.get orderId=${order}`)).output.order
        .order_status;
    equal(await statusOf(PENDING_ORDER), "pending");
    const proposal = `write nexus.orders.update_status orderId=${PENDING_ORDER} orderStatus=confirmed`;
    const { id, digest } = JSON.parse(await machine.ctl("ann", proposal));
    const decision = `writes approve ${id} --yes --digest ${digest} --wait`;
    notEqual((await machine.run(`runuser -u ann -- nexusctl ${decision}`)).code, 0);
    equal(JSON.parse(await machine.ctl("ann", `writes show ${id}`)).state, "proposed");
    equal(JSON.parse(await machine.ctl("olga", decision)).state, "succeeded");
    equal(await statusOf(PENDING_ORDER), "confirmed");
  });
}

export async function reload({ report, machine, sandbox }: Scene): Promise<void> {
  await report.check("a reload takes a new setting, in the same process", async () => {
    const before = await machine.property("MainPID");
    machine.configure(configuration(sandbox).replace("[nexus]\nenabled = true", "[nexus]\nenabled = false"));
    await machine.mark();
    const told = await machine.notifications(async () => {
      await machine.output(`systemctl reload ${UNIT}`);
      await machine.until("READY", () => machine.property("ActiveState"), /^active$/);
    });
    match(told, /RELOADING=1, MONOTONIC_USEC=\d+.*READY=1/s);
    await machine.until("the status line", () => statusText(machine), /^polling 0 sessions, Nex live$/);
    equal(await machine.property("MainPID"), before);
    equal(await machine.property("ActiveState"), "active");
  });
  await report.check(
    "a reload of a wrong configuration fails and says what is wrong, and the old one stays",
    async () => {
      const before = await machine.property("MainPID");
      await machine.mark();
      machine.configure(`${configuration(sandbox)}[nonsense]\nkey = 1\n`);
      const { code } = await machine.run(`systemctl reload ${UNIT}`);
      equal(code, 1);
      match(await machine.journal(), /nonsense: is not a known key/);
      match(await machine.output(`systemctl status ${UNIT}`), /nonsense: is not a known key/);
      equal(await machine.property("ActiveState"), "active");
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
    const unread = () => machine.ctl("ann", "consumers events reader --limit 100");
    const texts = async () => textsOf(await unread());
    await sandbox.say(session, "before");
    await machine.until("the log", async () => JSON.stringify(await texts()), /before/);
    const { sequence } = JSON.parse(await unread());
    await machine.ctl("ann", `consumers ack reader ${sequence}`);
    const pid = await machine.property("MainPID");
    await machine.output(`kill -KILL ${pid}`);
    await sandbox.say(session, "meanwhile");
    await machine.until("the restart", () => machine.property("NRestarts"), /^[1-9]/);
    await machine.until("the service", () => machine.property("ActiveState"), /^active$/);
    notEqual(await machine.property("MainPID"), pid);
    await sandbox.say(session, "after");
    await machine.until("the log", async () => JSON.stringify(await texts()), /after/);
    deepEqual(await texts(), ["meanwhile", "after"]);
    const log = await machine.ctl("ann", "events --type messaging.message.received");
    deepEqual(textsOf(log), ["before", "meanwhile", "after"]);
    const said = await machine.ctl("ann", "db check").catch(() => "");
    ok(!/"ok":false/.test(said), said);
  });
}

const textsOf = (lines: string): string[] =>
  lines
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line).data.text);

export async function watchdog({ report, machine, sandbox }: Scene): Promise<void> {
  await report.check(
    "a job that does not move any more is named, and the watchdog restarts nexusd",
    async () => {
      await machine.output(`mkdir -p /etc/nexusd/jobs ${DROP_IN}`);
      machine.put("/etc/nexusd/jobs/stuck.mjs", STUCK_JOB);
      machine.put(`${DROP_IN}/test.conf`, `[Service]\nWatchdogSec=${WATCHDOG_S}\nRestartSec=1\n`);
      machine.configure(`${configuration(sandbox)}[jobs]\ndirectory = "/etc/nexusd/jobs"\n`);
      await machine.mark();
      await machine.output(`systemctl daemon-reload && systemctl restart ${UNIT}`);
      const pid = await machine.property("MainPID");
      await machine.until("the journal", () => machine.journal(), /Failed with result 'watchdog'/);
      match(await machine.journal("-p err"), /the job stuck makes no progress/);
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
    await machine.output(`rm -r ${DROP_IN} && systemctl daemon-reload`);
  });
}

export async function reboot({ report, machine }: Scene): Promise<void> {
  await report.check("after a boot of the machine everything is there again, by itself", async () => {
    const before = JSON.parse(await machine.ctl("ann", "status"));
    await machine.reboot();
    await machine.mark();
    const after = JSON.parse(await machine.ctl("ann", "status"));
    equal(after.epoch, before.epoch);
    ok(after.log.latest > before.log.latest);
    equal(await machine.property("NRestarts"), "0");
    match(
      await machine.ctl("ann", `events --after ${before.log.latest}`),
      /daemon\.stopped.*daemon\.started/s,
    );
    // Of the whole boot, also before the mark.
    equal(await machine.output(`journalctl -q --no-pager -o cat -b -u ${UNIT} -p warning`), "");
    equal((await machine.output("systemctl --failed --quiet --plain --no-legend")).trim(), "");
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

/** Of all three services, on the sandbox. */
export const configuration = ({ messaging, nex, nexus }: Scene["sandbox"]): string => `[messaging]
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
