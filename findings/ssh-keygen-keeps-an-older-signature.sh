#!/usr/bin/env bash
# ssh-keygen -Y sign leaves an older FILE.sig as it is where nobody can be asked, and ends with 0 all the same.
# OpenSSH 9.2p1 (Debian 12, openssh-client 1:9.2p1-2+deb12u6)
#
# A good guess: exit code 0 means that FILE.sig is the signature of FILE now; where it may not be replaced, signing fails.
# What happens: without a terminal the question "Overwrite (y/n)?" is answered by the end of stdin, the old signature
# stays, and the exit code is 0. Signed from stdin, the signature comes on stdout, and nothing is in its way.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

command -v ssh-keygen >/dev/null || { echo "needs Debian's openssh-client" >&2; exit 2; }
ssh-keygen -q -t ed25519 -N '' -C alice -f key
echo "alice $(cut -d ' ' -f 1,2 key.pub)" >signers

sign() { ssh-keygen -q -Y sign -n decision -f key statement </dev/null >/dev/null 2>&1 && echo 'exit code 0' || echo 'it failed'; }
holds() { # signature
  if ssh-keygen -Y verify -f signers -I alice -n decision -s "$1" <statement >/dev/null 2>&1; then echo yes; else echo no; fi
}
check() {
  echo 'decision: reject' >statement
  echo "the first time: $(sign), the signature holds: $(holds statement.sig)"
  echo 'decision: approve' >statement
  echo "of another text: $(sign), the signature holds: $(holds statement.sig)"
  ssh-keygen -q -Y sign -n decision -f key <statement >from-stdin 2>/dev/null
  echo "from stdin, the signature holds: $(holds from-stdin)"
}

cat >expected <<'END'
the first time: exit code 0, the signature holds: yes
of another text: exit code 0, the signature holds: no
from stdin, the signature holds: yes
END

check | tee seen
diff expected seen
echo "as described"
