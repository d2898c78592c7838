#!/usr/bin/env bash
# Builds the Debian package: build/nexusd_VERSION_ARCH.deb, with the Node.js of the npm package "node" inside, because
# Debian 12 has none that is new enough. Needs dpkg-deb and strip. DEB_COMPRESSION: the arguments of dpkg-deb for it.
set -euo pipefail
cd "$(dirname "$0")/.."
umask 022

out=${DEB_OUT:-build}
version=${DEB_VERSION:-$(node -p 'require("./package.json").version')}
epoch=$(git log -1 --format=%ct 2>/dev/null || date +%s)
arch=$(dpkg --print-architecture)
case $arch in amd64) node_arch=x64 ;; arm64) node_arch=arm64 ;; *) node_arch=$arch ;; esac
read -ra compression <<<"${DEB_COMPRESSION:--Zxz}"
node=node_modules/node/bin/node
[ -x "$node" ] || { echo "deb: there is no $node: run \"npm ci\" first" >&2; exit 1; }

[ -n "${DEB_SKIP_BUILD:-}" ] || npm run --silent build
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
lib=$root/usr/lib/nexusd
doc=$root/usr/share/doc/nexusd
mkdir -p "$lib" "$doc" "$root/usr/bin" "$root/etc/nexusd" "$root/DEBIAN"

# The program, with what it needs to run and nothing else.
cp -r bin package.json "$lib/"
mkdir "$lib/dist"
cp -r dist/src dist/jobs dist/nexusctl dist/nexusd dist/page dist/package.json "$lib/dist/"
npm ls --omit=dev --all --parseable 2>/dev/null | tail -n +2 | sed "s#^$PWD/##" | grep '^node_modules/' |
  while read -r module; do
    mkdir -p "$lib/$(dirname "$module")"
    # One module inside another comes along with the outer one.
    [ -d "$lib/$module" ] || cp -r "$module" "$lib/$(dirname "$module")/"
  done
rm -rf "$lib/node_modules/better-sqlite3/"{deps,src,binding.gyp}
find "$lib/node_modules" -path '*/prebuilds/*' -name '*.node' ! -name "linux-$node_arch.node" -delete
# What only those who work on a module need: types, sources of maps, settings of their tools.
find "$lib/node_modules" -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '.*' \
  -o -name '*.sh' \) -delete
find "$lib/node_modules" -depth -mindepth 1 -type d -name '.*' -exec rm -rf {} +
mkdir -p "$lib/node_modules/node/bin"
cp node_modules/node/package.json "$lib/node_modules/node/"
cp "$node" "$lib/node_modules/node/bin/node"
strip --strip-unneeded "$lib/node_modules/node/bin/node" "$lib"/node_modules/better-sqlite3/prebuilds/*.node
chmod -R u=rwX,go=rX "$lib"
find "$lib/node_modules" "$lib/dist" -type f -perm /111 ! -path '*/node/bin/node' -exec chmod a-x {} +
chmod a-x "$lib/bin/launch.sh"
ln -s ../lib/nexusd/bin/nexusd "$root/usr/bin/nexusd"
ln -s ../lib/nexusd/bin/nexusctl "$root/usr/bin/nexusctl"

# systemd, configuration, documents.
install -Dm644 -t "$root/usr/lib/systemd/system" systemd/*.service systemd/*.socket
install -Dm644 -t "$root/usr/lib/systemd/user" systemd/user/*.service
install -Dm644 -t "$root/usr/lib/sysusers.d" systemd/sysusers.d/nexusd.conf
install -Dm644 -t "$root/usr/lib/tmpfiles.d" systemd/tmpfiles.d/nexusd.conf
install -m644 systemd/nexusd.toml "$root/etc/nexusd/nexusd.toml"
install -m644 -t "$doc" docs/*.md docs/alerts.yml config/nexusd.toml
SOURCE_DATE_EPOCH=$epoch node docs/man.ts "$root/man"
for page in "$root"/man/*; do
  directory=$root/usr/share/man/man${page##*.}
  mkdir -p "$directory"
  gzip -9nc "$page" >"$directory/$(basename "$page").gz"
done
rm -r "$root/man"
for target in bash:bash-completion/completions/nexusctl zsh:zsh/vendor-completions/_nexusctl \
  fish:fish/vendor_completions.d/nexusctl.fish; do
  node dist/src/cli/main.js completion "${target%%:*}" >"$root/completion"
  install -Dm644 "$root/completion" "$root/usr/share/${target#*:}"
done
rm "$root/completion"
install -m644 CHANGELOG.md "$doc/"
printf 'nexusd (%s) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- %s  %s\n' "$version" \
  "$(sed -n 's/^Maintainer: //p' packaging/debian/control)" "$(date -R -d "@$epoch")" | gzip -9n >"$doc/changelog.gz"
{
  printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: nexusd\n\n'
  printf 'Files: *\nCopyright: the authors of nexusd\nLicense: MIT\n'
  sed -e 's/^$/./' -e 's/^/ /' LICENSE
  printf '\nFiles: usr/lib/nexusd/node_modules/*\nCopyright: the authors of each module, named in its package.json\n'
  printf 'License: as-in-module\n The licence of each module is in its own directory and package.json.\n'
} >"$doc/copyright"
install -Dm644 packaging/debian/lintian-overrides "$root/usr/share/lintian/overrides/nexusd"

install -m755 -t "$root/DEBIAN" packaging/debian/postinst packaging/debian/prerm packaging/debian/postrm
echo /etc/nexusd/nexusd.toml >"$root/DEBIAN/conffiles"
sed -e "s/@VERSION@/$version/" -e "s/@ARCH@/$arch/" -e "s/@SIZE@/$(du -sk --exclude=DEBIAN "$root" | cut -f1)/" \
  packaging/debian/control >"$root/DEBIAN/control"
(cd "$root" && find . -path ./DEBIAN -prune -o -type f ! -path ./etc/nexusd/nexusd.toml -printf '%P\0' | sort -z |
  xargs -0 md5sum) >"$root/DEBIAN/md5sums"

mkdir -p "$out"
package=$out/nexusd_${version}_$arch.deb
SOURCE_DATE_EPOCH=$epoch dpkg-deb --root-owner-group "${compression[@]}" --build "$root" "$package" >&2
echo "$package"
