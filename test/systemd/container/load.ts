// The resources that nexusd uses while many agents keep it busy.

import { equal, ok } from "node:assert/strict";
import { UNIT } from "./machine.ts";
import type { Scene } from "./scene.ts";

// Below what [limits] allows all agents together, with room for what other checks left open.
const FOLLOWERS = 30;
const PROPOSALS = 150;
const TEXT_BYTES = 60_000;
const READERS = 8;
const MIB = 2 ** 20;

/** Everything that agents do at once, as a shell script: they follow, propose long texts, and read the whole log. */
const LOAD = `
for n in $(seq ${FOLLOWERS}); do
  curl -sN --max-time 60 --unix-socket /run/nexusd/agent.sock "http://nexusd/v1/events/stream?after=0" >/dev/null & followers="$followers $!"
done
call() { curl -sf --max-time 60 --unix-socket /run/nexusd/agent.sock "$@" >/dev/null; }
text=$(head -c ${TEXT_BYTES} /dev/zero | tr '\\0' x)
propose() {
  for n in $(seq $1 ${READERS} ${PROPOSALS}); do
    printf '{"operation":"nex.context.add_text","input":{"content":"%s %s"}}' $n $text |
      call -H 'content-type: application/json' --data-binary @- http://nexusd/v1/writes || exit 1
  done
}
read_all() { for n in $(seq 5); do call "http://nexusd/v1/events?limit=1000" && call "http://nexusd/v1/writes?limit=100" || exit 1; done; }
for n in $(seq ${READERS}); do propose $n & working="$working $!"; done
for pid in $working; do wait $pid || exit 1; done
working=
for n in $(seq ${READERS}); do read_all & working="$working $!"; done
for pid in $working; do wait $pid || exit 1; done
grep -E "^(VmHWM|Threads):" /proc/$(systemctl show -P MainPID ${UNIT})/status
kill $followers
`;

export async function load({ report, machine }: Scene): Promise<void> {
  const limit = async (name: string) => Number(await machine.property(name));
  await report.check("while agents keep it busy it stays well below MemoryMax and TasksMax", async () => {
    const pid = await machine.property("MainPID");
    const said = await machine.output(LOAD);
    const mib = Number(/VmHWM:\s+(\d+) kB/.exec(said)?.[1]) / 1024;
    const threads = Number(/Threads:\s+(\d+)/.exec(said)?.[1]);
    ok(mib < (await limit("MemoryMax")) / MIB / 1.5, `it took ${mib} MiB`);
    ok(threads < (await limit("TasksMax")) / 2, `it has ${threads} threads`);
    equal(await machine.property("MainPID"), pid);
    return `at most ${mib.toFixed(0)} MiB, ${threads} threads`;
  });
  const ENFORCED = "the kernel holds it to MemoryMax and TasksMax";
  const group = `/sys/fs/cgroup/system.slice/${UNIT}`;
  if (/\bmemory\b.*\bpids\b/.test(await machine.output("cat /sys/fs/cgroup/cgroup.controllers")))
    await report.check(ENFORCED, async () => {
      equal((await machine.output(`cat ${group}/memory.max`)).trim(), await machine.property("MemoryMax"));
      equal((await machine.output(`cat ${group}/pids.max`)).trim(), await machine.property("TasksMax"));
    });
  else report.skip(ENFORCED, "the container is given no controller of memory and tasks");
}
