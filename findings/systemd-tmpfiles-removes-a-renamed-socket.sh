#!/usr/bin/env bash
# systemd-tmpfiles removes a socket that is in use, where the file was renamed after the bind.
# systemd 252 (Debian 12), Node.js 26.10.0
#
# A good guess: aging spares sockets that somebody listens on, whatever happened to their name; and binding under a
# temporary name, setting the mode and renaming is the safe way to make a socket.
# What happens: the kernel goes on listing the socket under the name of its bind. systemd-tmpfiles compares names, takes
# the renamed one for stale and removes it; the one that was bound in place stays.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{ "private": true, "type": "module", "allowScripts": { "node": true } }' >package.json
npm install --silent --no-audit --no-fund node@26.10.0
export PATH="$dir/node_modules/.bin:$PATH"

command -v systemd-tmpfiles >/dev/null || { echo "needs systemd" >&2; exit 2; }
cat >listen.mjs <<'END'
import { renameSync } from "node:fs";
import { createServer } from "node:net";

const directory = process.argv[2];
createServer().listen(`${directory}/in-place.sock`, () =>
  createServer().listen(`${directory}/temporary.sock`, () => {
    renameSync(`${directory}/temporary.sock`, `${directory}/renamed.sock`);
    console.log("ready");
  }),
);
END
mkdir run
mkfifo ready
node listen.mjs "$dir/run" >ready &
server=$!
trap 'kill "$server"; rm -rf "$dir"' EXIT
read -r _ <ready
echo "d $dir/run 0755 - - 0" >age.conf
check() {
  systemd-tmpfiles --clean "$dir/age.conf"
  for socket in in-place renamed; do
    if [ -S "run/$socket.sock" ]; then echo "$socket: there"; else echo "$socket: removed"; fi
  done
}

cat >expected <<'END'
in-place: there
renamed: removed
END

check | tee seen
diff expected seen
echo "as described"
