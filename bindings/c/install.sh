#!/bin/sh
# Installs libmpr for C and C++: header, shared and static library, pkg-config file, CMake package.
#
#   bindings/c/install.sh PREFIX
#
# MPR_BUILD is where the built library is (default: build/ of the project). DESTDIR goes in front of every path that is
# written, for whoever makes a package; LIBDIR is the library's folder below PREFIX (default: lib).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
built=${MPR_BUILD:-$root/build}/lib

case ${1-} in
/*) ;;
*)
    echo "usage: $0 PREFIX    (an absolute path, such as /usr/local)" >&2
    exit 2
    ;;
esac
[ $# -eq 1 ] || { echo "$0: one PREFIX, please" >&2; exit 2; }
prefix=${1%/}
for file in libmpr.so libmpr.a; do
    [ -f "$built/$file" ] || { echo "$0: $built/$file is not there: run make build first, or set MPR_BUILD" >&2; exit 1; }
done

number() { sed -n "s/^#define MPR_VERSION_$1 //p" "$root/include/mpr.h"; }
major=$(number MAJOR)
version=$major.$(number MINOR).$(number PATCH)

libdir=${LIBDIR:-lib}
case $libdir in
/* | */ | *//* | *..*)
    echo "$0: LIBDIR is a folder below PREFIX, such as lib64 or lib/x86_64-linux-gnu" >&2
    exit 2
    ;;
esac
include=${DESTDIR-}$prefix/include
lib=${DESTDIR-}$prefix/$libdir
# From the folder of the .pc file up to PREFIX (one more from the CMake package's): what is installed may be moved.
up=../$(printf '%s' "$libdir" | sed 's|[^/][^/]*|..|g')
# But below /usr pkg-config leaves out the folders that every compiler looks into, and knows them by their plain names.
case $prefix in /usr) pc_prefix=$prefix ;; *) pc_prefix=\${pcfiledir}/$up ;; esac
install -d "$include" "$lib/pkgconfig" "$lib/cmake/mpr"

# Through a new file and a rename: a running program keeps the library that it has mapped.
put() {
    install -m "$1" "$2" "$3.new"
    mv -f "$3.new" "$3"
}
put 644 "$root/include/mpr.h" "$include/mpr.h"
for header in "$root"/bindings/cpp/*.hpp; do
    [ ! -f "$header" ] || put 644 "$header" "$include/$(basename "$header")"
done
put 644 "$built/libmpr.a" "$lib/libmpr.a"
put 755 "$built/libmpr.so" "$lib/libmpr.so.$version"
ln -sfn "libmpr.so.$version" "$lib/libmpr.so.$major"
ln -sfn "libmpr.so.$major" "$lib/libmpr.so"

fill() {
    sed -e "s|@PREFIX@|$pc_prefix|g" -e "s|@LIBDIR@|$libdir|g" -e "s|@UP@|$up|g" -e "s|@VERSION@|$version|g" \
        -e "s|@MAJOR@|$major|g" "$here/$1" >"$2"
    chmod 644 "$2"
}
fill libmpr.pc.in "$lib/pkgconfig/libmpr.pc"
fill mprConfig.cmake.in "$lib/cmake/mpr/mprConfig.cmake"
fill mprConfigVersion.cmake.in "$lib/cmake/mpr/mprConfigVersion.cmake"

echo "libmpr $version is in ${DESTDIR-}$prefix"
