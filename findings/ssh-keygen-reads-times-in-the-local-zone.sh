#!/usr/bin/env bash
# The same signature, file of signers and moment: ssh-keygen accepts it in one time zone and refuses it in another.
# OpenSSH 9.2p1 (Debian 12, openssh-client 1:9.2p1-2+deb12u6)
#
# A good guess: a file of allowed signers says the same on each machine that it is copied to.
# What happens: valid-after and valid-before are of the zone of the process ($TZ, else the machine's), unless they end
# with Z. The same goes for -Overify-time. What was valid on the server is expired on the laptop of whoever checks it
# again.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

command -v ssh-keygen >/dev/null || { echo "needs Debian's openssh-client" >&2; exit 2; }
ssh-keygen -q -t ed25519 -N '' -C alice -f key
echo 'decision: approve' >statement
ssh-keygen -q -Y sign -n decision -f key <statement >signature 2>/dev/null

check() { # zone, valid-before
  echo "alice valid-before=\"$2\" $(cut -d ' ' -f 1,2 key.pub)" >signers
  if TZ=$1 ssh-keygen -Y verify -f signers -I alice -n decision -Overify-time=20260301120000Z -s signature \
    <statement >/dev/null 2>&1; then echo valid; else echo expired; fi
}

cat >expected <<'END'
20260301150000 in UTC: valid
20260301150000 in Asia/Tokyo: expired
20260301150000Z in UTC: valid
20260301150000Z in Asia/Tokyo: valid
END

for before in 20260301150000 20260301150000Z; do
  for zone in UTC Asia/Tokyo; do echo "$before in $zone: $(check "$zone" "$before")"; done
done | tee seen
diff expected seen
echo "as described"
