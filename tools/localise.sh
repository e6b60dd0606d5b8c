#!/bin/sh
# localise.sh IN OUT PREFIX: the static library IN again, as OUT, of one object that shows PREFIX* and nothing else. Rust's runtime and the C code
# in it (ring, libzstd) have the same names in every Rust library: without this, a program could hold only one of them.
#
# A final link still leaves out what it does not need (-Wl,--gc-sections): the sections stay apart.
set -eu
in=$1 out=$2 prefix=$3
if [ "$(uname -s)" != Linux ]; then # another linker, another format: as it is
    cp "$in" "$out"
    exit
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What is wanted by name: the rest of the archive comes as far as that needs it. (nm's complaints are about the compiler's own
# members, which it cannot read where it has LLVM's plugin.)
wanted=$(nm -s --quiet "$in" 2>/dev/null | sed -n "s/^\($prefix[A-Za-z0-9_]*\) in .*/-u \1/p")
[ -n "$wanted" ] || { echo "$0: $in has no $prefix*" >&2; exit 1; }
# Groups are dissolved: the linker would keep one of those that have the same name in two libraries, and this one could not
# reach the other's, its names being local.
# shellcheck disable=SC2086 # a list of words
ld -r --force-group-allocation $wanted -o "$work/all.o" "$in"
objcopy --wildcard --keep-global-symbol="$prefix*" --strip-debug "$work/all.o" "$work/${prefix%_}.o"
rm -f "$work/out.a"
ar rcsD "$work/out.a" "$work/${prefix%_}.o"
chmod 644 "$work/out.a"
mv -f "$work/out.a" "$out"
