#!/bin/sh
# Installs what the build and the tests need beyond Rust, gcc and Python, where that is possible; else says what is missing.
set -eu

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
# The C++ examples.
need /usr/include/httplib.h libcpp-httplib-dev
need grpc_cpp_plugin protobuf-compiler-grpc
ls /usr/lib/*/libgrpc++.so >/dev/null 2>&1 || missing="$missing libgrpc++-dev"
# Rotel, a receiver of the tests, is linked to Python's library, which Debian does not install with Python.
libpython=libpython$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
ls /usr/lib/*/"$libpython".so.1.0 >/dev/null 2>&1 || missing="$missing $libpython"
# Python without ensurepip (Debian splits it off) cannot make a virtual environment.
python3 -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"

command -v cargo >/dev/null 2>&1 || { echo "missing: Rust 1.89 or newer with rustfmt and clippy; install it with rustup (Debian 12's own is too old)" >&2; exit 1; }
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing:$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of words
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "missing:$missing" >&2
    echo "install them first, on Debian: sudo apt-get install$missing" >&2
    exit 1
fi
