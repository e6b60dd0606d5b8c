#!/bin/sh
# deb.sh FOLDER: Debian packages libmpr0, libmpr-dev and mpr-local in FOLDER.
# MPR_BUILD is where the built files are (default: build/ of the project); DEBFULLNAME and DEBEMAIL say who makes them,
# REVISION is Debian's (default 1), COMPRESSION dpkg-deb's (default xz). The same input gives the same bytes. Needs dpkg-dev.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)
build=${MPR_BUILD:-$root/build}
[ $# -eq 1 ] || { echo "usage: $0 FOLDER" >&2; exit 2; }
command -v dpkg-shlibdeps >/dev/null || { echo "missing: dpkg-shlibdeps (package dpkg-dev)" >&2; exit 1; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

number() { sed -n "s/^#define MPR_VERSION_$1 //p" "$root/include/mpr.h"; }
major=$(number MAJOR)
upstream=$major.$(number MINOR).$(number PATCH)
version=$upstream-${REVISION:-1}
arch=$(dpkg --print-architecture)
libdir=lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
who="${DEBFULLNAME:-libmpr maintainers} <${DEBEMAIL:-maintainers@libmpr.invalid}>"
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
umask 022

# Everything once, as installed; then each package takes its part.
all=$work/all
DESTDIR=$all LIBDIR=$libdir MPR_BUILD=$build "$root/bindings/c/install.sh" /usr >/dev/null
so=$all/usr/$libdir/libmpr.so.$upstream
strip --strip-unneeded --remove-section=.comment --remove-section=.note "$so"
chmod 644 "$so"
(cd "$root" && python3 tools/licences.py --texts mpr) >"$work/third-party-library"
(cd "$root" && python3 tools/licences.py --texts mpr-local mpr-mask) >"$work/third-party-local"

take() { # PACKAGE, then paths below usr that it takes
    package=$1
    shift
    for path in "$@"; do
        for file in "$all"/usr/$path; do
            to=$work/$package/usr/${file#"$all"/usr/}
            mkdir -p "$(dirname "$to")"
            mv "$file" "$to"
        done
    done
}
take libmpr0 "$libdir/libmpr.so.*"
take libmpr-dev include "$libdir/libmpr.so" "$libdir/libmpr.a" "$libdir/pkgconfig" "$libdir/cmake"
install -D -m 755 "$build/bin/mpr-local" "$work/mpr-local/usr/bin/mpr-local"
strip --strip-unneeded --remove-section=.comment --remove-section=.note "$work/mpr-local/usr/bin/mpr-local"
mkdir -p "$work/mpr-local/usr/share/man/man1"
gzip -9n <"$here/mpr-local.1" >"$work/mpr-local/usr/share/man/man1/mpr-local.1.gz"

needs() { # what the binary is linked to, as packages
    mkdir -p "$work/shlibdeps/debian"
    printf 'Source: libmpr\n\nPackage: any\nArchitecture: any\n' >"$work/shlibdeps/debian/control"
    (cd "$work/shlibdeps" && dpkg-shlibdeps -O --ignore-missing-info "$1" 2>/dev/null) | sed -n 's/^shlibs:Depends=//p'
}

finish() { # PACKAGE, section, description; further fields of its control file come from standard input
    tree=$work/$1
    doc=$tree/usr/share/doc/$1
    mkdir -p "$doc" "$tree/DEBIAN"
    gzip -9n <"$root/CHANGELOG.md" >"$doc/changelog.gz"
    printf 'libmpr (%s) unstable; urgency=medium\n\n  * Release %s.\n\n -- %s  %s\n' "$version" "$upstream" "$who" \
        "$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$doc/changelog.Debian.gz"
    cat >"$doc/copyright" <<END
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: libmpr

Files: *
Copyright: $(date -u -d "@$SOURCE_DATE_EPOCH" +%Y) the authors of libmpr
License: Apache-2.0
 On Debian systems the text of the Apache License, Version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.
Comment: Programs here contain other works. Their notices are in
 THIRD-PARTY-LICENSES.gz beside this file.
END
    cat >"$tree/DEBIAN/control"
    cat >>"$tree/DEBIAN/control" <<END
Source: libmpr
Version: $version
Architecture: $arch
Maintainer: $who
Section: $2
Priority: optional
Installed-Size: $(du -k -s --apparent-size --exclude=DEBIAN "$tree" | cut -f1)
Homepage: https://www.multiplayer.app
Description: session recording for backend services - $3
 A developer presses start, uses the system, presses stop; every trace of
 that session, from every service, is kept whole and unsampled, with request
 and response content, masked.
 .
 $4
END
    (cd "$tree" && find usr -type f | LC_ALL=C sort | xargs -d '\n' md5sum) >"$tree/DEBIAN/md5sums"
    find "$tree" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
    dpkg-deb --root-owner-group "-Z${COMPRESSION:-xz}" --build "$tree" "$out/$1_${version}_$arch.deb" >/dev/null
    echo "$out/$1_${version}_$arch.deb"
}
notices() { mkdir -p "$work/$1/usr/share/doc/$1" && gzip -9n <"$2" >"$work/$1/usr/share/doc/$1/THIRD-PARTY-LICENSES.gz"; }

# What programs that are linked with it depend on: nothing newer than the newest function that they call.
mkdir -p "$work/libmpr0/DEBIAN"
echo "libmpr $major libmpr0 (>= $(sed -n 's/^mpr_[a-z_0-9]* *\([0-9.]*\)$/\1/p' "$root/docs/symbols-in-versions" | sort -V | tail -1))" \
    >"$work/libmpr0/DEBIAN/shlibs"
{
    echo "libmpr.so.$major libmpr0 #MINVER#"
    nm -D --defined-only "$work/libmpr0/usr/$libdir/libmpr.so.$upstream" | awk '{print $3}' | LC_ALL=C sort |
        while read -r symbol; do
            echo " $symbol@Base $(awk -v name="$symbol" '$1 == name {print $2}' "$root/docs/symbols-in-versions")"
        done
} >"$work/libmpr0/DEBIAN/symbols"
echo "activate-noawait ldconfig" >"$work/libmpr0/DEBIAN/triggers"

notices libmpr0 "$work/third-party-library"
notices libmpr-dev "$work/third-party-library"
notices mpr-local "$work/third-party-local"

finish libmpr0 libs "shared library" "This package has the shared library." <<END
Package: libmpr0
Multi-Arch: same
Depends: $(needs "$work/libmpr0/usr/$libdir/libmpr.so.$upstream")
END
finish libmpr-dev libdevel "development files" "This package has the headers for C and C++, the static library, and
 files for pkg-config and CMake." <<END
Package: libmpr-dev
Multi-Arch: same
Depends: libmpr0 (= $version)
Suggests: mpr-local
END
finish mpr-local devel "local recorder" "This package has the local recorder: no account, no network, a page
 in the browser." <<END
Package: mpr-local
Depends: $(needs "$work/mpr-local/usr/bin/mpr-local")
END
