#!/bin/sh
# build.sh DIR: makes DIR/otelcol, a real OpenTelemetry Collector, from Debian's source packages of it and of Go. Nothing is
# installed and no root is needed: the packages are unpacked beside it, and gone afterwards. About 150 MB to fetch, 2 GB of disk
# and 3 minutes on two cores, once: DIR is kept until this folder changes.
# Where it cannot be made, one line says why, here and in DIR/missing (which the tests show), and the status is 1.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
suite=sid # the only one with a collector that has today's names in its configuration

made_from=$(cat "$here/build.sh" "$here/main.go" | sha256sum)
[ "$(cat "$out/made-from" 2>/dev/null)" = "$made_from" ] && [ -x "$out/otelcol" ] && exit 0
rm -f "$out/otelcol" "$out/made-from" "$out/missing"

cannot() {
    echo "no OpenTelemetry Collector was built: $*" | tee "$out/missing" >&2
    exit 1
}
for tool in apt-get dpkg-deb; do
    command -v $tool >/dev/null || cannot "$tool is not here, so this is not Debian"
done
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -e $keyring ] || cannot "package debian-archive-keyring is missing"
# The machine's own mirror, with another suite; neither that of the security updates nor one that is not Debian's.
mirror=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN)|$(LABEL)' 'Created-By: Packages' 'Component: main' |
    awk '$2 == "Debian|Debian" || $1 ~ /\/debian\/*$/ {print $1; exit}')
[ -n "$mirror" ] || cannot "apt knows no mirror of Debian"
[ "$(df -Pm "$out" | awk 'NR == 2 {print $4}')" -ge 3000 ] || cannot "less than 3 GB free for $out"

work=$out/work
rm -rf "$work"
trap 'chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial" "$work/debs" "$work/go/src/otelcol"
: >"$work/apt/status"
echo "deb [signed-by=$keyring] $mirror $suite main" >"$work/apt/sources.list"
# apt with a state of its own, in which nothing is installed. A mirror may stand still: its signature counts, not its date.
own_apt() {
    command=$1
    shift
    "$command" -qq -o Dir::State="$work/apt" -o Dir::State::lists="$work/apt/lists" -o Dir::State::status="$work/apt/status" \
        -o Dir::Cache="$work/apt/cache" -o Dir::Etc::sourcelist="$work/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::Etc::preferencesparts=/dev/null -o APT::Install-Recommends=false -o APT::Sandbox::User= \
        -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false -o Acquire::Languages=none \
        -o Acquire::Check-Valid-Until=false -o Acquire::Retries=2 -o Acquire::http::Timeout=20 "$@" 2>>"$work/log"
}
own_apt apt-get update >>"$work/log" && [ -n "$(own_apt apt-cache policy golang-opentelemetry-collector-dev)" ] ||
    cannot "Debian's packages cannot be reached ($(grep -m 1 '^[EW]:' "$work/log"))"

# All that the two need, but for the largest of what no line of it compiles: tools, clouds, other exporters' formats.
unused='circl|x-tools|x-image|aws-sdk|google-cloud|google-api|gonum-v1-plot|mongo-driver|gofpdf|sha1cd|pprof|arrow|control-plane'
own_apt apt-get --simulate install golang-go golang-opentelemetry-collector-dev |
    awk '$1 == "Inst" && $2 ~ /^golang-/ {print $2}' | grep -Ev "$unused" >"$work/packages" || cannot "apt cannot resolve its packages"
# shellcheck disable=SC2046 # a list of words
(cd "$work/debs" && own_apt apt-get download $(cat "$work/packages") >>"$work/log") ||
    cannot "its packages cannot be fetched ($(grep -m 1 '^[EW]:' "$work/log"))"
for deb in "$work"/debs/*.deb; do
    dpkg-deb -x "$deb" "$work/root"
done

cp "$here/main.go" "$work/go/src/otelcol/"
go=$(echo "$work"/root/usr/lib/go-*)
version=$(dpkg-deb -f "$work"/debs/golang-opentelemetry-collector-dev_*.deb Version)
env -u GOFLAGS GOROOT="$go" GO111MODULE=off GOTOOLCHAIN=local GOPROXY=off GOTELEMETRY=off CGO_ENABLED=0 \
    GOPATH="$work/go:$work/root/usr/share/gocode" GOCACHE="$work/cache" \
    "$go/bin/go" build -trimpath -ldflags "-s -w -X main.version=${version%%-*}" -o "$out/otelcol" otelcol >>"$work/log" 2>&1 ||
    cannot "it does not compile ($(tail -n 1 "$work/log"))"
"$out/otelcol" --version >/dev/null || cannot "it does not start"
echo "$made_from" >"$out/made-from"
