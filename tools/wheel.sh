#!/bin/sh
# The Python wheel with the library, and the source distribution, into build/wheel: tools/wheel.sh build/lib/libmpr.so
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
library=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
out=$here/build/wheel
python=$here/.venv/bin/python
stripped=$(mktemp -d)
trap 'rm -rf "$stripped"' EXIT
# What symbols for debuggers weigh, nobody downloads.
strip --strip-unneeded -o "$stripped/libmpr.so" "$library"
rm -rf "$out"
mkdir -p "$out"
(cd "$here" && python3 tools/licences.py --texts mpr) >"$stripped/notices"
cd "$here/bindings/python"
MPR_NOTICES=$stripped/notices MPR_LIBRARY=$stripped/libmpr.so "$python" -m build --no-isolation --wheel --outdir "$out" . >/dev/null
"$python" -m build --no-isolation --sdist --outdir "$out" . >/dev/null
ls -l "$out"
