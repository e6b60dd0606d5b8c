#!/bin/sh
# Installs what the build and the demo need beyond Rust, gcc and Python, where that is possible; else says what is missing.
# `deps.sh tests` goes on with what some tests need alone: the languages of examples/, and tools that judge packages and ABI.
# Where those cannot be had, their tests are skipped and say why.
set -eu

install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || return 1
    echo "installing: $*"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

missing=""
need() { # command or file to look for, Debian package
    case $1 in
        /*) [ -e "$1" ] || missing="$missing $2" ;;
        *) command -v "$1" >/dev/null 2>&1 || missing="$missing $2" ;;
    esac
}
need gcc gcc
need g++ g++
need make make
need pkg-config pkg-config
need cmake cmake
need valgrind valgrind
need openssl openssl
need /usr/include/microhttpd.h libmicrohttpd-dev
# Rotel, a receiver of the tests, is linked to Python's library, which Debian does not install with Python.
libpython=libpython$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
ls /usr/lib/*/"$libpython".so.1.0 >/dev/null 2>&1 || missing="$missing $libpython"
# Python without ensurepip (Debian splits it off) cannot make a virtual environment.
python3 -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"

command -v cargo >/dev/null 2>&1 || { echo "missing: Rust 1.89 or newer with rustfmt and clippy; install it with rustup (Debian 12's own is too old)" >&2; exit 1; }
# shellcheck disable=SC2086 # lists of words
if [ -n "$missing" ] && ! install $missing; then
    echo "missing:$missing" >&2
    echo "install them first, on Debian: sudo apt-get install$missing" >&2
    exit 1
fi

[ "${1-}" = tests ] || exit 0
missing=""
# A second compiler for the headers.
need clang clang
# The C++ examples.
need /usr/include/httplib.h libcpp-httplib-dev
need grpc_cpp_plugin protobuf-compiler-grpc
ls /usr/lib/*/libgrpc++.so >/dev/null 2>&1 || missing="$missing libgrpc++-dev"
# Those of other languages.
need php php-cli
need ruby ruby
need luajit luajit
perl -MFFI::Platypus -e1 2>/dev/null || missing="$missing libffi-platypus-perl"
need go golang-go
# The local recorder's page.
command -v chromium-browser >/dev/null 2>&1 || need chromium chromium
# Packages and ABI.
need /usr/include/zstd.h libzstd-dev
need abidw abigail-tools
need lintian lintian
need dpkg-gensymbols dpkg-dev
# Node with npm is 400 packages in Debian: whoever has them has them from elsewhere.
[ -z "$missing" ] && exit 0
# shellcheck disable=SC2086
install $missing || for package in $missing; do
    install "$package" || echo "missing: $package; the tests that need it are skipped" >&2
done
