#!/bin/sh
# Noise handshakes against the PyPI package noiseprotocol, both roles, live. TAP: run it with prove.
# NOISE_PYTHON names a Python that has the package already; otherwise a throw-away environment is made.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM HUP

skip() {
    echo "1..0 # SKIP $1"
    exit 0
}

python=${NOISE_PYTHON:-}
if [ -z "$python" ]; then
    command -v python3 >/dev/null || skip "python3 is not installed"
    python3 -m venv "$scratch/venv" >"$scratch/log" 2>&1 ||
        skip "python3 cannot make a virtual environment (python3-venv)"
    python=$scratch/venv/bin/python
    timeout 120 "$python" -m pip install --quiet --disable-pip-version-check noiseprotocol==0.3.1 \
        >"$scratch/log" 2>&1 ||
        skip "the Python package noiseprotocol cannot be installed here"
fi

if ! ${CC:-cc} -std=gnu17 -O1 -I "$root/include" -o "$scratch/noise_peer" "$root/Tests/EndToEnd/noise_peer.c" \
    "$root"/CSources/COxCrypto/*.c "$root"/CSources/COxBase/*.c -lsodium 2>"$scratch/log"; then
    sed 's/^/# /' "$scratch/log"
    echo "Bail out! noise_peer.c does not compile"
    exit 1
fi
PYTHONDONTWRITEBYTECODE=1 timeout 300 "$python" "$root/Tests/Vectors/noise/interop.py" "$scratch/noise_peer"
