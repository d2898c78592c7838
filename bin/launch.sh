# Sourced by nexusd and nexusctl with $program, $entry (a path in the package, without its ending) and $bin set, and
# $flags for Node.js where there are any: picks a Node.js that is new enough and becomes it, so that signals and the
# process id are the program's own.

needed=22.19 # as in package.json, "engines"
package=$(dirname "$bin")

# Sets $version to that of a Node.js, empty when it does not run. Succeeds when it is new enough.
is_new_enough() {
  version=$("$1" --version 2>/dev/null) || version=
  major=${version#v}
  minor=${major#*.}
  major=${major%%.*}
  minor=${minor%%.*}
  case $version in v[0-9]*.[0-9]*.*) ;; *) return 1 ;; esac
  case $major$minor in *[!0-9]*) return 1 ;; esac
  [ "$major" -gt "${needed%.*}" ] || { [ "$major" -eq "${needed%.*}" ] && [ "$minor" -ge "${needed#*.}" ]; }
}

node=
found=
if [ -n "${NEXUSD_NODE:-}" ]; then
  if is_new_enough "$NEXUSD_NODE"; then
    node=$NEXUSD_NODE
  else
    found="\$NEXUSD_NODE is $NEXUSD_NODE (${version:-which does not run})"
  fi
else
  on_path=$(command -v node 2>/dev/null) || on_path=
  if [ -z "$on_path" ]; then
    found="no node on PATH"
  elif is_new_enough "$on_path"; then
    node=$on_path
  else
    found="$on_path is ${version:-a file that does not run}"
  fi
  # The npm package "node", here or further up, where npm puts what several packages share.
  directory=$bin
  while [ -z "$node" ] && [ "$directory" != / ]; do
    directory=$(dirname "$directory")
    candidate=${directory%/}/node_modules/node/bin/node
    if [ -x "$candidate" ]; then
      if is_new_enough "$candidate"; then
        node=$candidate
      else
        found="$found; $candidate is ${version:-a file that does not run}"
      fi
    fi
  done
fi

if [ -z "$node" ]; then
  if [ -f "$package/package-lock.json" ]; then
    remedy="run \"npm ci\" in $package, which brings one along"
  else
    remedy="run \"npm install node@26\" where $program is installed, with -g if that was"
  fi
  cat >&2 <<END
$program: needs Node.js $needed or newer.
  Found: $found.
  To get it: $remedy;
  or install it from https://nodejs.org/en/download;
  or name one that you have: NEXUSD_NODE=/path/to/node $program
END
  exit 1
fi

if [ -f "$package/$entry.js" ]; then # inside dist/
  exec "$node" ${flags:-} "$package/$entry.js" "$@"
elif [ -f "$package/$entry.ts" ]; then # a checkout; some versions warn that they strip types
  exec "$node" ${flags:-} --disable-warning=ExperimentalWarning "$package/$entry.ts" "$@"
elif [ -f "$package/dist/$entry.js" ]; then # an installed package
  exec "$node" ${flags:-} "$package/dist/$entry.js" "$@"
fi
echo "$program: $package is not complete: there is no $entry.ts nor dist/$entry.js; run \"npm run build\" there" >&2
exit 1
