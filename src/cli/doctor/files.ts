// doctor: who can access the files of the data directory, and the chain of the audit log in them.

import { lstatSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { StoreError } from "../../contract/store.ts";
import { checkAuditChain } from "../../store/sqlite/inspect.ts";
import { OWN_FILES } from "../../store/sqlite/own-files.ts";
import { furtherDifferences } from "../../writes/remake.ts";
import { type Check, fail, ok, warn } from "./doctor.ts";

/** For a directory that this user may read. */
export function examinePermissions(dataDir: string): Check[] {
  const directory = look(dataDir, statSync);
  if (!directory) return [];
  const checks: Check[] = [];
  if ((directory.mode & 0o077) !== 0)
    checks.push(
      fail("permissions", `${dataDir}: mode ${octal(directory)}, open to others`, `chmod 0700 ${dataDir}`),
    );
  for (const name of OWN_FILES) {
    const path = join(dataDir, name);
    const stat = look(path, lstatSync);
    if (!stat) continue;
    if (stat.isSymbolicLink()) {
      checks.push(
        fail(
          "permissions",
          `${path}: is a link, which nexusd does not follow`,
          "Replace it with the file that it points to.",
        ),
      );
      continue;
    }
    if ((stat.mode & 0o077) !== 0)
      checks.push(fail("permissions", `${path}: mode ${octal(stat)}, open to others`, `chmod 0600 ${path}`));
    if (stat.uid !== directory.uid)
      checks.push(
        fail(
          "permissions",
          `${path}: belongs to user ${stat.uid}, its directory to ${directory.uid}; the daemon may not be able to use it`,
          `chown --reference=${dataDir} ${path}`,
        ),
      );
  }
  return checks.length > 0 ? checks : [ok("permissions", `${dataDir}: accessible only to its owner`)];
}

const octal = ({ mode }: Stats) => (mode & 0o777).toString(8).padStart(4, "0");

/** Undefined: missing or not visible, which the checks of the database report. */
function look(path: string, stat: (path: string) => Stats): Stats | undefined {
  try {
    return stat(path);
  } catch {
    return undefined;
  }
}

/** For a database that is intact as a file. */
export async function examineAudit(dataDir: string): Promise<Check[]> {
  const check = "audit";
  try {
    const { ok: isWhole, detail } = await checkAuditChain(join(dataDir, "nexusd.db"), furtherDifferences);
    if (isWhole) return [ok(check, detail)];
    return [
      fail(
        check,
        detail,
        "Something other than nexusd changed the database. Keep a copy (nexusctl backup FILE), see what changed with nexusctl db check and nexusctl audit, and restore an earlier backup: nexusctl restore FILE",
      ),
    ];
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return [warn(check, `not verified: ${error.message}`)];
  }
}
