#!/bin/sh
# otel_cpp.sh ROOT SOURCE PROGRAM: compiles SOURCE against opentelemetry-cpp 1.19, which Debian has from trixie on. Elsewhere a
# small trixie is made in ROOT (about 1.1 GB and two minutes, once), from the mirror that this machine's apt uses. Nothing is
# mounted into it, so that it can be removed like any folder. PROGRAM is a script that starts what was compiled.
set -eu
root=$1 source=$2 program=$3
libraries="-lopentelemetry_exporter_otlp_http -lopentelemetry_exporter_otlp_http_client -lopentelemetry_http_client_curl
  -lopentelemetry_otlp_recordable -lopentelemetry_proto -lopentelemetry_trace -lopentelemetry_resources
  -lopentelemetry_common -labsl_bad_variant_access -lprotobuf -lpthread"
# As Debian compiles the library itself.
flags="-O2 -std=c++17 -Wall -Wextra -DHAVE_ABSEIL -DOPENTELEMETRY_ABI_VERSION_NO=1"

fail() { echo "otel_cpp.sh: $1" >&2; exit 1; }
[ "$(uname -m)" = x86_64 ] || fail "written for x86-64"
if [ ! -e "$root/.made" ]; then
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
    { chroot "$root" apt-get update -qq &&
        chroot "$root" apt-get install -y -qq --no-install-recommends g++ opentelemetry-cpp-dev libcurl4-openssl-dev libprotobuf-dev libabsl-dev; } \
        >>"$root.log" 2>&1 || fail "apt-get in $root: $(tail -1 "$root.log")"
    chroot "$root" apt-get clean
    touch "$root/.made"
fi
cp "$source" "$(dirname "$source")/../workload.h" "$root/tmp/"
# shellcheck disable=SC2086 # lists of words
chroot "$root" g++ $flags "/tmp/$(basename "$source")" -o /tmp/program $libraries || fail "does not compile"
cat >"$program" <<END
#!/bin/sh
exec "$root/lib64/ld-linux-x86-64.so.2" --library-path "$root/usr/lib/x86_64-linux-gnu" "$root/tmp/program" "\$@"
END
chmod +x "$program"
