#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Unpacks a pinned Debian source package into DESTDIR.
#   fetch-source.sh PACKAGE DESTDIR
# The pins are in scripts/source-pins.txt.  The archives come from the mirrors
# this machine already uses, through lists of our own, so nothing of the
# system changes and no root is needed; apt checks the archive's signature and
# we check each file against its pin.  Archives stay in build/third_party/archives
# (or $CW_SOURCE_CACHE): a second run needs no network.  A DESTDIR that holds
# the pinned version already is left as it is.
set -eu

die() { echo "fetch-source.sh: $*" >&2; exit 1; }

[ $# = 2 ] || { echo "usage: fetch-source.sh PACKAGE DESTDIR" >&2; exit 2; }
package=$1
case $2 in /*) dest=$2 ;; *) dest=$PWD/$2 ;; esac
root=$(cd "$(dirname "$0")/.." && pwd)
pins=${CW_SOURCE_PINS:-$root/scripts/source-pins.txt}
cache=${CW_SOURCE_CACHE:-$root/build/third_party/archives}
etc=${CW_SOURCE_APT_ETC:-/etc/apt}

mine=$(grep "^$package " "$pins") || die "$pins has no pin for '$package'"
version=$(printf '%s\n' "$mine" | sed -n '1s/^[^ ]* \([^ ]*\) .*/\1/p')
dsc=$(printf '%s\n' "$mine" | sed -n 's/.* \([^ ]*\.dsc\)$/\1/p')
[ -n "$version" ] && [ -n "$dsc" ] || die "$pins: the pin of '$package' names no .dsc"
stamp=$(printf '%s\n' "$mine" | sha256sum | cut -c1-64)

mkdir -p "$cache" "$(dirname "$dest")"
cache=$(cd "$cache" && pwd)
exec 9>"$cache/.lock"
flock 9

if [ -e "$dest/.cw-source" ] && [ "$(cat "$dest/.cw-source")" = "$stamp" ]; then
	exit 0
fi
if [ -e "$dest" ] && [ ! -e "$dest/.cw-source" ]; then
	die "$dest exists and is not a tree of ours: name another directory, or remove it"
fi

# a file that a broken download left behind counts as absent
all_cached()
{
	printf '%s\n' "$mine" | while read -r _ _ sum file; do
		[ -e "$cache/$file" ] || exit 1
		echo "$sum  $cache/$file" | sha256sum -c --status || { rm -f "$cache/$file"; exit 1; }
	done
}

download()
{
	command -v apt-get >/dev/null || die "no apt-get here: put $package's files of $pins into $cache"
	apt=$cache/.apt
	rm -rf "$apt"
	mkdir -p "$apt/parts" "$apt/lists/partial" "$apt/archives/partial"
	# the machine's own mirrors with their options and keys, for sources
	[ ! -e "$etc/sources.list" ] ||
	    sed -n -E 's/^[[:space:]]*deb(-src)?([[:space:]])/deb-src\2/p' "$etc/sources.list" |
	    sort -u >"$apt/parts/main.list"
	for f in "$etc"/sources.list.d/*.list; do
		[ ! -e "$f" ] || sed -n -E 's/^[[:space:]]*deb(-src)?([[:space:]])/deb-src\2/p' "$f" |
		    sort -u >"$apt/parts/$(basename "$f")"
	done
	for f in "$etc"/sources.list.d/*.sources; do
		[ ! -e "$f" ] || sed -E 's/^[Tt]ypes:.*/Types: deb-src/' "$f" >"$apt/parts/$(basename "$f")"
	done
	[ -n "$(ls "$apt/parts")" ] || die "$etc names no mirror: put $package's files of $pins into $cache"
	set -- -qq -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$apt/parts" \
	    -o Dir::State::lists="$apt/lists" -o Dir::Cache::archives="$apt/archives" \
	    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
	apt-get "$@" update >"$apt/log" 2>&1 || { cat "$apt/log" >&2
		die "apt-get could not read the mirrors of $etc (above)"; }
	have=$(apt-cache "$@" showsrc "$package" 2>>"$apt/log" | sed -n 's/^Version: //p' |
	    sort -u | paste -sd" " -)
	case " $have " in
	*" $version "*) ;;
	*) die "the mirrors have $package ${have:-(none)}, the pin says $version." \
	    "Put the files of the pinned version into $cache, or move the pin in $pins" \
	    "after a review of the new version" ;;
	esac
	(cd "$cache" && apt-get "$@" source --download-only "$package=$version") >>"$apt/log" 2>&1 || {
		cat "$apt/log" >&2
		die "apt-get could not fetch $package $version (above)"; }
	rm -rf "$apt"
}

all_cached || {
	download
	printf '%s\n' "$mine" | while read -r _ _ sum file; do
		[ -e "$cache/$file" ] || die "$package $version came without $file: $pins is wrong"
		echo "$sum  $cache/$file" | sha256sum -c --status ||
		    { rm -f "$cache/$file"
		    die "$file has another digest than its pin in $pins: do not build from it"; }
	done
}

command -v dpkg-source >/dev/null || die "dpkg-source is missing: run scripts/deps.sh firmware"
rm -rf "$dest" "$dest.new"
dpkg-source --no-check -x "$cache/$dsc" "$dest.new" >"$cache/.unpack.log" 2>&1 ||
    { cat "$cache/.unpack.log" >&2; die "dpkg-source could not unpack $dsc (above)"; }
printf '%s\n' "$stamp" >"$dest.new/.cw-source"
mv "$dest.new" "$dest"
