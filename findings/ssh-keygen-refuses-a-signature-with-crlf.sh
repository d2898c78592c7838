#!/usr/bin/env bash
# ssh-keygen takes an allowed_signers file with Windows line ends, but not a signature with them.
# OpenSSH 9.2p1 (Debian 12, openssh-client 1:9.2p1-2+deb12u6)
#
# A good guess: an armored signature is text like PGP's or PEM's, so that line ends do not matter. A browser sends what
# is pasted into a form with CRLF.
# What happens: the signature is refused with "missing header"; the list of signers is read. Text after the end of the
# signature does no harm, text before it does.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

command -v ssh-keygen >/dev/null || { echo "needs Debian's openssh-client" >&2; exit 2; }
ssh-keygen -q -t ed25519 -N '' -C alice -f key
echo 'decision: approve' >statement
ssh-keygen -q -Y sign -n decision -f key <statement >signature 2>/dev/null
echo "alice $(cut -d ' ' -f 1,2 key.pub)" >signers
sed 's/$/\r/' signature >signature.crlf
sed 's/$/\r/' signers >signers.crlf
{ cat signature; echo 'sent from my phone'; } >signature.after
{ echo 'here it is:'; cat signature; } >signature.before

verify() { # label, signers, signature
  if ssh-keygen -Y verify -f "$2" -I alice -n decision -s "$3" <statement >/dev/null 2>error; then
    echo "$1: good"
  else
    echo "$1: $(head -n 1 error | tr -d '\r')"
  fi
}
check() {
  verify 'as made' signers signature
  verify 'signers with CRLF' signers.crlf signature
  verify 'signature with CRLF' signers signature.crlf
  verify 'text after the signature' signers signature.after
  verify 'text before the signature' signers signature.before
}

cat >expected <<'END'
as made: good
signers with CRLF: good
signature with CRLF: Couldn't parse signature: missing header
text after the signature: good
text before the signature: Couldn't parse signature: missing header
END

check | tee seen
diff expected seen
echo "as described"
