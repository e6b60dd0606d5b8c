#!/bin/sh
# What the shared library weighs: stripped size, what it needs, what it shows.
set -eu
stripped=$(mktemp)
trap 'rm -f "$stripped"' EXIT
strip -o "$stripped" "$1"
echo "stripped: $(stat -c %s "$stripped") bytes"
echo "needs: $(readelf -d "$1" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' | tr '\n' ' ')"
echo "exported functions: $(nm -D --defined-only "$1" | grep -c ' T mpr_')"
echo "needs glibc of at least: $(objdump -T "$1" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -1)"
