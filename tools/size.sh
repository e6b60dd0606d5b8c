#!/bin/sh
# size.sh LIBRARY START: what the shared library weighs, what it needs, and what it costs a process to have it, beside the goals.
# START is benches/start.c; medians of ROUNDS processes (default 21).
set -eu
library=$1 start=$2 rounds=${ROUNDS:-21}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
strip -o "$work/libmpr.so.0" "$library"
bytes=$(stat -c %s "$work/libmpr.so.0")

n=0
while [ $n -lt "$rounds" ]; do
    MULTIPLAYER_API_KEY=none "$start" "$work/libmpr.so.0" >>"$work/runs"
    n=$((n + 1))
done
median() { awk "{print $1}" "$work/runs" | sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
row() { printf '%-28s %10s   %s\n' "$@"; }

row "" "" "goal"
row "stripped" "$(awk "BEGIN {printf \"%.2f MB\", $bytes / 1e6}")" "3.5 MB, 4.5 at most"
row "dlopen" "$(awk "BEGIN {printf \"%.2f ms\", $(median '$1') / 1000}")" "0.3 ms"
row "mpr_init" "$(awk "BEGIN {printf \"%.2f ms\", $(median '$2') / 1000}")" "under 1 ms"
row "memory after dlopen" "+$(awk "BEGIN {printf \"%.2f MB\", $(median '$4 - $3') / 1024}")" ""
row "memory after mpr_init" "+$(awk "BEGIN {printf \"%.2f MB\", $(median '$5 - $3') / 1024}")" "+3 MB"
row "oldest glibc that will do" "$(objdump -T "$library" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -1 | cut -d_ -f2)" ""
row "exported functions" "$(nm -D --defined-only "$library" | grep -c ' T mpr_')" "those of mpr.h"
echo "needs: $(readelf -d "$library" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' | tr '\n' ' ')"
