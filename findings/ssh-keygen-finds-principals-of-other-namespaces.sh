#!/usr/bin/env bash
# ssh-keygen -Y find-principals counts an entry's dates, but not its namespaces.
# OpenSSH 9.2p1 (Debian 12, openssh-client 1:9.2p1-2+deb12u6)
#
# A good guess: find-principals names those whose signature verify would then accept.
# What happens: an entry that has expired is left out; an entry for another namespace is named, and verify refuses it. So
# the name alone says nothing about the right to sign this kind of text: it has to be followed by verify.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

command -v ssh-keygen >/dev/null || { echo "needs Debian's openssh-client" >&2; exit 2; }
ssh-keygen -q -t ed25519 -N '' -C alice -f key
echo 'decision: approve' >statement
ssh-keygen -q -Y sign -n decision -f key <statement >signature 2>/dev/null

ask() { # label, options of the entry
  echo "alice $2$(cut -d ' ' -f 1,2 key.pub)" >signers
  found=$(ssh-keygen -Y find-principals -s signature -f signers 2>/dev/null || true)
  verified=no
  if ssh-keygen -Y verify -f signers -I alice -n decision -s signature <statement >/dev/null 2>&1; then verified=yes; fi
  echo "$1: found ${found:-nobody}, verified $verified"
}
check() {
  ask 'no options' ''
  ask 'expired' 'valid-before="20200101" '
  ask 'another namespace' 'namespaces="git" '
}

cat >expected <<'END'
no options: found alice, verified yes
expired: found nobody, verified no
another namespace: found alice, verified no
END

check | tee seen
diff expected seen
echo "as described"
