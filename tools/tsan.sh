#!/bin/sh
# tsan.sh FOLDER: what `make tsan` tests, in FOLDER: lib/libmpr.so for ThreadSanitizer, python/bin/python to load it, and
# runtime.a, which every program that uses the library must be linked with.
#
# Rust's standard library is compiled as well: TSan would not see the order that locks and Arc make in the one that comes
# with the compiler, and report what is none. Its source comes from rustup, or from Debian's package of the same release.
set -eu
out=$1 here=$(cd "$(dirname "$0")/.." && pwd)
target=x86_64-unknown-linux-gnu

fail() { echo "tsan.sh: $1" >&2; exit 1; }
release=$(rustc -vV | sed -n 's/^release: //p')
rustc -vV | grep -qx "host: $target" || fail "written for $target"
# (Named after the channel.)
runtime=$(ls "$(rustc --print target-libdir)"/librustc-*_rt.tsan.a 2>/dev/null) || fail "this Rust has no ThreadSanitizer runtime"

export RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$here/target/tsan" RUSTFLAGS=-Zsanitizer=thread
export CARGO_PROFILE_DEV_OPT_LEVEL=1 CARGO_PROFILE_DEV_DEBUG=line-tables-only

# Of Debian's suites of today: nothing is installed, and apt's own lists stay as they are.
debian_source() {
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
    # shellcheck disable=SC2016 # apt's names, not the shell's
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 2>/dev/null | grep -v security | head -1)
    [ -n "$mirror" ] || return 1
    apt=$CARGO_TARGET_DIR/apt
    for suite in trixie-backports sid; do
        rm -rf "$apt"
        mkdir -p "$apt/lists/partial" "$apt/archives/partial"
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$apt/sources.list"
        set -- -qq -o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt" -o Dir::Etc::SourceList="$apt/sources.list" \
            -o Dir::Etc::SourceParts=/dev/null -o Dir::State::status=/dev/null -o APT::Sandbox::User=root
        apt-get "$@" update >/dev/null 2>&1 || continue
        version=$(apt-cache "$@" madison rust-src | awk -v want="$release+" 'index($3, want) == 1 { print $3; exit }')
        [ -n "$version" ] || continue
        (cd "$apt" && apt-get "$@" download "rust-src=$version" >/dev/null 2>&1) || continue
        dpkg-deb --fsys-tarfile "$apt"/rust-src_*.deb | tar -x -C "$apt" "./usr/src/rustc-$release/library" || continue
        return 0
    done
    return 1
}

if [ ! -e "$(rustc --print sysroot)/lib/rustlib/src/rust/library/Cargo.lock" ]; then
    source=$CARGO_TARGET_DIR/rust-src-$release
    if [ ! -e "$source/Cargo.lock" ]; then
        debian_source && mv "$apt/usr/src/rustc-$release/library" "$source" ||
            fail "missing: the source of Rust's standard library $release; install it with: rustup component add rust-src"
        rm -rf "$apt"
    fi
    # Cargo's own variable for a source in another place than the toolchain's.
    export __CARGO_TESTS_ONLY_SRC_ROOT="$source"
fi

cd "$here"
cargo rustc --locked --quiet -Zbuild-std=std,panic_unwind --target $target -p mpr --lib --crate-type cdylib
mkdir -p "$out/lib" "$out/python/bin"
install "$CARGO_TARGET_DIR/$target/debug/libmpr.so" "$out/lib/"
ln -sf libmpr.so "$out/lib/libmpr.so.0"

# The runtime has to be in the program itself, and not beside it: this Python is the same one with it inside.
python=$here/.venv/bin/python
libpython=$("$python" -c '
import pathlib, sysconfig
name, folder, more = sysconfig.get_config_vars("INSTSONAME", "LIBDIR", "MULTIARCH")
places = [pathlib.Path(folder, name), pathlib.Path(folder, more or "", name)]
print(next((str(place) for place in places if ".so" in name and place.exists()), ""))')
[ -n "$libpython" ] || fail "missing: the shared library of $("$python" -V) (on Debian the package libpython3.x)"
cat >"$out/python/main.c" <<'END'
int Py_BytesMain(int argc, char **argv);
int main(int argc, char **argv) { return Py_BytesMain(argc, argv); }
END
gcc "$out/python/main.c" tests/support/tsan.c -o "$out/python/bin/python" -Wl,--whole-archive "$runtime" -Wl,--no-whole-archive -rdynamic \
    "$libpython" "-Wl,-rpath,$(dirname "$libpython")" -lpthread -ldl -lm -lrt -lresolv -lgcc_s
cp "$here/.venv/pyvenv.cfg" "$out/python/"
ln -sfn "$here/.venv/lib" "$out/python/lib"
# Last: with it the tests know what this folder is.
ln -sf "$runtime" "$out/runtime.a"
