#!/bin/sh
# dist.sh FOLDER: the release as a tarball: FOLDER/libmpr-VERSION-linux-MACHINE.tar.gz, and its SHA-256 beside it.
# MPR_BUILD is where the built files are (default: build/ of the project). The same input gives the same bytes.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)
build=${MPR_BUILD:-$root/build}
[ $# -eq 1 ] || { echo "usage: $0 FOLDER" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

number() { sed -n "s/^#define MPR_VERSION_$1 //p" "$root/include/mpr.h"; }
version=$(number MAJOR).$(number MINOR).$(number PATCH)
machine=$(uname -m)
glibc=$(objdump -T "$build/lib/libmpr.so" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -1 | cut -d_ -f2)
name=libmpr-$version-linux-$machine
top=$work/$name

MPR_BUILD=$build "$root/bindings/c/install.sh" "$top" >/dev/null
install -D -m 755 "$build/bin/mpr-local" "$top/bin/mpr-local"
install -D -m 644 "$here/mpr-local.1" "$top/share/man/man1/mpr-local.1"
install -m 644 "$root/LICENSE" "$root/CHANGELOG.md" "$top/"
install -d "$top/doc"
for page in abi.md masking.md spool.md symbols-in-versions; do install -m 644 "$root/docs/$page" "$top/doc/"; done
sed 's|\.\./\.\./examples|../examples|g' "$root/bindings/cpp/README.md" >"$top/doc/cpp.md"
sed -e "s/@VERSION@/$version/" -e "s/@MACHINE@/$machine/" -e "s/@GLIBC@/$glibc/" "$here/README.release.md" >"$top/README.md"
(cd "$root" && python3 tools/licences.py --texts) >"$top/THIRD-PARTY-LICENSES"
(cd "$root/examples" && find ./*/ -type f ! -path '*/node_modules/*' ! -path '*/__pycache__/*' ! -name package-lock.json \
    ! -perm /111 -exec install -D -m 644 {} "$top/examples/{}" \;)

epoch=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || echo 0)}
tar --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner --mode=go+u,go-w -C "$work" -c "$name" | gzip -n >"$out/$name.tar.gz"
(cd "$out" && sha256sum "$name.tar.gz" >"$name.tar.gz.sha256")
echo "$out/$name.tar.gz"
