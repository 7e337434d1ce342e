#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# scripts/fetch-source.sh against a mirror that this script plays: what it takes,
# what it refuses, and in which words.  TAP.
set -u
cd "$(dirname "$0")/../../.." || exit 2
command -v dpkg-source >/dev/null || { echo "1..0 # SKIP no dpkg-source"; exit 0; }
fetch=$PWD/scripts/fetch-source.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
n=0
bad=0

# check NAME WANTED-CODE PATTERN COMMAND...   (pattern in its whole output)
check() {
	name=$1 want=$2 pattern=$3
	shift 3
	out=$("$@" 2>&1 </dev/null)
	code=$?
	n=$((n + 1))
	if [ "$code" = "$want" ] && printf '%s\n' "$out" | grep -qe "$pattern"; then
		echo "ok $n - $name"
	else
		bad=$((bad + 1))
		echo "not ok $n - $name"
		echo "# exit $code, wanted $want with '$pattern': $out"
	fi
}

# a source package of one file: package VERSION CONTENT
package() {
	mkdir -p "$tmp/mirror" "$tmp/tree/toy-$1/debian/source"
	echo "$2" >"$tmp/tree/toy-$1/file"
	tar -C "$tmp/tree" -czf "$tmp/mirror/toy_$1.tar.gz" "toy-$1"
	rm -r "$tmp/tree"
	sum=$(sha256sum "$tmp/mirror/toy_$1.tar.gz" | cut -c1-64)
	size=$(stat -c %s "$tmp/mirror/toy_$1.tar.gz")
	md5=$(md5sum "$tmp/mirror/toy_$1.tar.gz" | cut -c1-32)
	cat >"$tmp/mirror/toy_$1.dsc" <<-EOF
	Format: 3.0 (native)
	Source: toy
	Version: $1
	Maintainer: nobody <nobody@invalid>
	Checksums-Sha256:
	 $sum $size toy_$1.tar.gz
	Files:
	 $md5 $size toy_$1.tar.gz
	EOF
}

pin() {
	for f in "toy_$1.dsc" "toy_$1.tar.gz"; do
		echo "toy $1 $(sha256sum "$tmp/mirror/$f" | cut -c1-64) $f"
	done >"$tmp/pins"
}

mkdir -p "$tmp/bin" "$tmp/etc/sources.list.d"
cat >"$tmp/bin/apt-get" <<'EOF'
#!/bin/sh
# plays apt-get: knows `update` and `source`; wants lists of sources only
for a; do case $a in Dir::Etc::sourceparts=*) parts=${a#*=} ;; esac; done
echo "$*" >>"$MIRROR/../calls"
[ ! -e "$MIRROR/../down" ] || { echo "E: no network"; exit 100; }
grep -qhE '^(Types: deb|deb )$' "$parts"/* && exit 3
grep -qh '^deb-src http://one.invalid' "$parts"/main.list || exit 4
grep -qh '^Types: deb-src$' "$parts"/two.sources || exit 5
grep -qh '^Signed-By: /key' "$parts"/two.sources || exit 6
for a; do case $a in toy=*) cp "$MIRROR/toy_${a#toy=}".* . || exit 1 ;; esac; done
EOF
cat >"$tmp/bin/apt-cache" <<'EOF'
#!/bin/sh
for f in "$MIRROR"/*.dsc; do sed -n '/^Version/p' "$f"; done
EOF
chmod +x "$tmp/bin/apt-get" "$tmp/bin/apt-cache"
printf 'deb http://one.invalid/debian stable main\n# deb http://no.invalid x y\n' >"$tmp/etc/sources.list"
printf 'Types: deb\nURIs: http://two.invalid/debian\nSuites: stable\nComponents: main\nSigned-By: /key\n' \
    >"$tmp/etc/sources.list.d/two.sources"
export PATH="$tmp/bin:$PATH" MIRROR="$tmp/mirror" CW_SOURCE_PINS="$tmp/pins" \
    CW_SOURCE_CACHE="$tmp/cache" CW_SOURCE_APT_ETC="$tmp/etc"

package 1.0-1 first
pin 1.0-1
check "fetched and unpacked" 0 '' "$fetch" toy "$tmp/out"
check "its content" 0 '^first$' cat "$tmp/out/file"
touch "$tmp/down"
check "unpacked already: nothing to do" 0 '' "$fetch" toy "$tmp/out"
rm -r "$tmp/out"
check "again, without a mirror" 0 '' "$fetch" toy "$tmp/out"
check "nothing but the cache was used" 0 '^2$' grep -c . "$tmp/calls"
echo damage >>"$tmp/cache/toy_1.0-1.tar.gz"
rm -r "$tmp/out"
check "a damaged archive is fetched again, or told" 1 'no network' "$fetch" toy "$tmp/out"
rm "$tmp/down"
check "and then it is" 0 '' "$fetch" toy "$tmp/out"

mkdir "$tmp/mine"
check "a directory of somebody else is left alone" 1 'not a tree of ours' "$fetch" toy "$tmp/mine"
check "no pin" 1 "no pin for 'nothing'" "$fetch" nothing "$tmp/x"
check "usage" 2 'usage' "$fetch" toy

# the mirror has moved on
rm "$tmp/mirror"/* "$tmp/cache"/*.* 2>/dev/null
rm -r "$tmp/out"
package 1.0-2 second
check "another version is told with both and the remedy" 1 \
    'have toy 1.0-2, the pin says 1.0-1.*move the pin' "$fetch" toy "$tmp/out"
check "and nothing is unpacked" 1 '' test -e "$tmp/out"
pin 1.0-2
check "a moved pin" 0 '' "$fetch" toy "$tmp/out"
check "has the new content" 0 '^second$' cat "$tmp/out/file"

# the same name with other bytes
rm -r "$tmp/out" "$tmp/cache"
package 1.0-2 evil
check "another digest is refused" 1 'another digest.*do not build from it' "$fetch" toy "$tmp/out"
check "and nothing of it is unpacked" 1 '' test -e "$tmp/out"
check "nor kept" 1 '' test -e "$tmp/cache/toy_1.0-2.dsc"
rm -r "$tmp/etc"
mkdir "$tmp/etc"
check "a machine without mirrors" 1 'names no mirror' "$fetch" toy "$tmp/out"
echo "1..$n"
[ "$bad" = 0 ]
