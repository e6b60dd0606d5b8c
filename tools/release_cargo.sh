#!/bin/sh
# cargo, for what is shipped: the texts of panics name source files, and this leaves out where those are on the machine that
# builds. (cargo's own trim-paths is not stable yet.)
set -eu
# All crates have to be there: folders of registries are looked for.
cargo fetch --locked --quiet --target "$(rustc -vV | sed -n "s/^host: //p")"
flags=""
for folder in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/; do
    [ -d "$folder" ] && flags="$flags --remap-path-prefix=${folder%/}=crates"
done
# The standard library's: real paths where its source is installed.
rust=$(rustc --print sysroot)/lib/rustlib/src/rust
[ -d "$rust" ] && flags="$flags --remap-path-prefix=$rust=/rustc"
flags="$flags --remap-path-prefix=$(pwd)=."
RUSTFLAGS="${RUSTFLAGS-}$flags" exec cargo "$@"
