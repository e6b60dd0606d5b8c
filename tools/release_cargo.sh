#!/bin/sh
# cargo, for what is shipped: the texts of panics name source files, and this leaves out where those are on the machine that
# builds. (cargo's own trim-paths is not stable yet.)
set -eu
# All crates have to be there: folders of registries are looked for.
cargo fetch --locked --quiet --target "$(rustc -vV | sed -n "s/^host: //p")"
# One flag behind the other with a character between that stands in no path.
tab=$(printf '\037')
flags=${CARGO_ENCODED_RUSTFLAGS-$(printf %s "${RUSTFLAGS-}" | tr -s ' ' "$tab")}
leave_out() { flags=${flags:+$flags$tab}--remap-path-prefix=$1=$2; }
for folder in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/; do
    [ ! -d "$folder" ] || leave_out "${folder%/}" crates
done
# The standard library's: real paths where its source is installed.
rust=$(rustc --print sysroot)/lib/rustlib/src/rust
[ ! -d "$rust" ] || leave_out "$rust" /rustc
leave_out "$(pwd)" .
CARGO_ENCODED_RUSTFLAGS=$flags exec cargo "$@"
