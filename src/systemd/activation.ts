// Sockets that systemd opened before nexusd was started: sd_listen_fds(3).

/** The first descriptor that is passed: SD_LISTEN_FDS_START. */
const FIRST_FD = 3;

/**
 * The listening sockets that were passed to this process, by the name of their unit (FileDescriptorName=). Takes the
 * variables out of `env`, so that no child believes that they are meant for it.
 * @returns empty without socket activation, or where the sockets are meant for another process
 */
export function takeInheritedSockets(
  env: Record<string, string | undefined>,
  pid: number,
): ReadonlyMap<string, number> {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = env;
  for (const name of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]) delete env[name];
  const count = Number(LISTEN_FDS);
  const sockets = new Map<string, number>();
  if (Number(LISTEN_PID) !== pid || !Number.isInteger(count)) return sockets;
  const names = (LISTEN_FDNAMES ?? "").split(":");
  for (let index = 0; index < count; index += 1) {
    const name = names[index];
    if (name) sockets.set(name, FIRST_FD + index);
  }
  return sockets;
}
