# Sourced by nexusd and nexusctl with $program, $entry (a path in the package, without its ending) and $bin set, and
# $flags for Node.js and a $bundle beside the code where there are any: picks a Node.js that is new enough and becomes it,
# so that signals and the process id are the program's own.

needed=22.19 # as in package.json, "engines"
package=$(dirname "$bin")

# Where the start of a program keeps what the next one need not find out again; empty where it cannot. Node.js executes what
# it finds there, so that it has to be this user's own: `sudo` may leave somebody else's home in the environment.
cache=
home=${XDG_CACHE_HOME:-${HOME:-}}
if [ -z "${bundle:-}" ]; then
  :
elif [ -n "${CACHE_DIRECTORY:-}" ]; then # systemd made it for this service
  cache=${CACHE_DIRECTORY%%:*}
elif [ -n "$home" ] && [ -O "$home" ]; then
  cache=${XDG_CACHE_HOME:-$HOME/.cache}/nexusd
fi
[ -z "$cache" ] || { (umask 077 && mkdir -p "$cache") && [ -O "$cache" ] && [ -w "$cache" ]; } 2>/dev/null || cache=

# What tells a Node.js from any other that was at this path before, and from one that was not new enough.
identity() {
  stat -L -c "$needed %d:%i:%s:%z" "$1" 2>/dev/null || :
}

# Sets $version to that of a Node.js, empty when it does not run. Succeeds when it is new enough. To ask it takes a tenth of a
# whole short command: the answer is kept.
is_new_enough() {
  known=
  if [ -n "$cache" ]; then
    was=$(identity "$1")
    [ -r "$cache/node" ] && read -r known <"$cache/node"
    [ -z "$was" ] || [ "$known" != "$was" ] || return 0
  fi
  has_new_version "$1" || return 1
  [ -z "$cache" ] || [ -z "$was" ] || (umask 077 && echo "$was" >"$cache/node.$$" && mv "$cache/node.$$" "$cache/node") 2>/dev/null || :
}

has_new_version() {
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

# Compiled once, and then only read: Node.js checks that it is of the same text and version.
[ -z "$cache" ] || export NODE_COMPILE_CACHE="${NODE_COMPILE_CACHE:-$cache/compiled}"

bundled() { # the bundle in this directory, or else the file
  if [ -n "${bundle:-}" ] && [ -f "$1/$bundle" ]; then file=$1/$bundle; else file=$2; fi
}
if [ -f "$package/$entry.js" ]; then # inside dist/
  bundled "$package" "$package/$entry.js"
elif [ -f "$package/$entry.ts" ]; then # a checkout; some versions warn that they strip types
  bundled "$package/build" "$package/$entry.ts"
  flags="${flags:-} --disable-warning=ExperimentalWarning"
elif [ -f "$package/dist/$entry.js" ]; then # an installed package
  bundled "$package/dist" "$package/dist/$entry.js"
else
  echo "$program: $package is not complete: there is no $entry.ts nor dist/$entry.js; run \"npm run build\" there" >&2
  exit 1
fi
exec "$node" ${flags:-} "$file" "$@"
