// nexusd installed as a service from a checkout, by `nexusctl service`.

import { deepEqual, equal, match, notEqual } from "node:assert/strict";
import { UNIT } from "./machine.ts";
import type { Scene } from "./scene.ts";

const SERVICE = "/opt/nexusd/bin/nexusctl service";
/** All of nexusd, except the checkout, the packages, what the machine itself keeps of it, and caches, which are each user's. */
const FIND =
  "find / -xdev \\( -name .cache -o -path /proc -o -path /opt -o -path /debs -o -path /var/log -o -path /var/lib/systemd \\) -prune -o -name '*nexusd*' -print";

export async function fromCheckout({ report, machine }: Scene): Promise<void> {
  const files = async () => (await machine.output(FIND)).trim().split("\n");
  await report.check("service install first shows what it would do, and changes nothing", async () => {
    const before = await files();
    const { steps, done } = JSON.parse(await machine.output(`${SERVICE} install`));
    equal(done, false);
    match(JSON.stringify(steps), /"path":"\/etc\/systemd\/system\/nexusd\.service"/);
    deepEqual(await files(), before);
  });
  await report.check(
    "service install puts a checkout into service, with users, sockets and configuration",
    async () => {
      await machine.output(`${SERVICE} install --yes`);
      equal(await machine.property("ActiveState"), "active");
      match(await machine.property("ExecStart"), /path=\/usr\/local\/lib\/nexusd\/bin\/nexusd /);
      const stat = await machine.output(
        "stat -c '%n %U %G %a' /run/nexusd/agent.sock /run/nexusd/operator.sock /etc/nexusd/nexusd.toml",
      );
      deepEqual(stat.trim().split("\n"), [
        "/run/nexusd/agent.sock nexusd nexusd-agents 660",
        "/run/nexusd/operator.sock nexusd nexusd-operators 660",
        "/etc/nexusd/nexusd.toml nexusd nexusd 600",
      ]);
      match(await machine.output("nexusctl status"), /"version"/);
      await machine.output(`systemctl reload ${UNIT}`);
    },
  );
  await report.check("done again it does nothing, and keeps a configuration that was changed", async () => {
    const pid = await machine.property("MainPID");
    await machine.output("echo '# mine' >> /etc/nexusd/nexusd.toml");
    deepEqual(JSON.parse(await machine.output(`${SERVICE} install --yes`)), { steps: [], done: true });
    match(await machine.output("cat /etc/nexusd/nexusd.toml"), /# mine/);
    equal(await machine.property("MainPID"), pid);
    // The remains of an interrupted run are completed by the next one.
    await machine.output("rm /etc/systemd/system/nexusd.service");
    await machine.output(`${SERVICE} install --yes`);
    equal(await machine.property("ActiveState"), "active");
  });
  await report.check(
    "service uninstall leaves data and configuration, and with --purge nothing",
    async () => {
      await machine.output(`${SERVICE} uninstall --yes`);
      notEqual((await machine.run(`systemctl cat ${UNIT}`)).code, 0);
      await machine.output("ls /var/lib/nexusd/nexusd.db /etc/nexusd/nexusd.toml");
      await machine.output(`${SERVICE} uninstall --purge --yes`);
      deepEqual(await files(), [""]);
    },
  );
}
