#!/bin/sh
# compile.sh ROOT PROGRAM SOURCE [FLAG…]: compiles SOURCE against opentelemetry-cpp 1.19, which Debian has from trixie on. Elsewhere a
# small trixie is made in ROOT (about 600 MB and two minutes, once), from the mirror that this machine's apt uses. Nothing is
# mounted into it, so that it can be removed like any folder. PROGRAM is a script that starts what was compiled. The headers of
# include/, bindings/cpp/ and benches/ are there to include; "-lmpr" links build/lib's (MPR_BUILD: another folder than build).
#
# compile.sh ROOT only makes the root.
set -eu
root=$1
here=$(cd "$(dirname "$0")/../.." && pwd)
build=${MPR_BUILD:-$here/build}

fail() { echo "otel-cpp: $1" >&2; exit 1; }
[ "$(uname -m)" = x86_64 ] || fail "written for x86-64"
packages="g++ opentelemetry-cpp-dev libcpp-httplib-dev libcurl4-openssl-dev libprotobuf-dev libabsl-dev"
if [ "$(cat "$root/.made" 2>/dev/null)" != "$packages" ]; then
    [ "$(id -u)" = 0 ] || fail "making a Debian trixie needs root"
    export DEBIAN_FRONTEND=noninteractive
    command -v debootstrap >/dev/null || { apt-get update -qq && apt-get install -y -qq debootstrap >/dev/null; } || fail "no debootstrap"
    # shellcheck disable=SC2016 # apt's names, not the shell's
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' 'Origin: Debian' | awk '$1 !~ /security/ { print $1; exit }')
    [ -n "$mirror" ] || fail "apt has no mirror of Debian"
    rm -rf "$root"
    mkdir -p "$root"
    debootstrap --variant=minbase trixie "$root" "$mirror" /usr/share/debootstrap/scripts/sid >"$root.log" 2>&1 || fail "debootstrap: $(tail -1 "$root.log")"
    cp /etc/resolv.conf "$root/etc/"
    # The mirror's certificate may be signed by an authority of this network.
    cp -r /etc/ssl/certs "$root/etc/ssl/" 2>/dev/null || true
    # shellcheck disable=SC2086 # a list of words
    { chroot "$root" apt-get update -qq && chroot "$root" apt-get install -y -qq --no-install-recommends $packages; } \
        >>"$root.log" 2>&1 || fail "apt-get in $root: $(tail -1 "$root.log")"
    chroot "$root" apt-get clean
    echo "$packages" >"$root/.made"
fi
[ $# -gt 1 ] || exit 0
program=$2 source=$3
shift 3
name=$(basename "$program")
work=$root/work/$name
rm -rf "$work"
mkdir -p "$work"
cp "$here"/include/mpr.h "$here"/bindings/cpp/*.hpp "$here"/benches/workload.h "$source" "$work/"
cp "$(dirname "$source")"/*.h "$work/" 2>/dev/null || true
cp "$build"/lib/libmpr.so "$work/libmpr.so" 2>/dev/null || true
ln -sf libmpr.so "$work/libmpr.so.0"
# As Debian compiles the library itself.
set -- -O1 -std=c++17 -Wall -Wextra -DHAVE_ABSEIL -DOPENTELEMETRY_ABI_VERSION_NO=1 -I"/work/$name" -L"/work/$name" \
    "/work/$name/$(basename "$source")" -o "/work/$name/program" "$@" \
    -lopentelemetry_exporter_otlp_http -lopentelemetry_exporter_otlp_http_client -lopentelemetry_exporter_in_memory \
    -lopentelemetry_http_client_curl -lopentelemetry_otlp_recordable -lopentelemetry_proto -lopentelemetry_trace \
    -lopentelemetry_logs -lopentelemetry_resources -lopentelemetry_common -labsl_bad_variant_access -lprotobuf -lpthread
chroot "$root" g++ "$@" || fail "$source does not compile"
cat >"$program" <<END
#!/bin/sh
exec "$root/lib64/ld-linux-x86-64.so.2" --library-path "$work:$root/usr/lib/x86_64-linux-gnu" "$work/program" "\$@"
END
chmod +x "$program"
