#!/usr/bin/env bash
# The README's tables, from results. TAP, for prove(1).
#
#   OXBENCH   the program to test; default: build/bin/oxbench of the tree that this file is in
set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
oxbench=${OXBENCH:-$here/../../build/bin/oxbench}

# shellcheck source=Tests/EndToEnd/tap.sh
. "$here/../../Tests/EndToEnd/tap.sh"
[ -x "$oxbench" ] || skip_all "needs oxbench at $oxbench: make build, or set OXBENCH"
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

cat >"$scratch/speed.json" <<'JSON'
{"command": "tunnel", "commit": "0123456789abcdef", "machine": "a machine", "results": [
  {"peer": "oxidize", "underlay": "veth", "aead": "aes-256-gcm", "rounds": 3,
   "udp_64_pps": 123456.4, "udp_64_pps_min": 120000, "udp_64_pps_max": 130000, "tcp_up_gbit_per_s": 8.049,
   "overload_tcp_64_kb_ms": null},
  {"peer": "none", "underlay": "veth", "aead": null, "rounds": 3, "udp_64_pps": 7}]}
JSON
printf '%s\n' 'Before.' '' '<!-- oxbench table speed -->' 'old' '<!-- oxbench table end -->' '' 'Behind.' >"$scratch/README.md"
table() { "$oxbench" table "$scratch/README.md" --results "$scratch" "$@"; }
has() { grep -qxF -- "$1" "$scratch/README.md" || { cat "$scratch/README.md"; return 1; }; }

check "a table that is not made yet fails the check" exits 1 table --check
check "the check writes nothing" has old
check "it is written" table
check "a row has a cell a peer" has '| UDP of 64 B at <= 1 % loss, packets/s | 123,456 (120,000 to 130,000) | 7 |'
check "places are rounded" has '| TCP, one flow, to the relay, Gbit/s | 8.05 | - |'
check "what is unknown is a dash" has '| 64 kB of TCP during it, ms | - | - |'
check "it says where it is from" \
    has '`oxbench tunnel`, 3 rounds: median (least to largest). a machine, commit 0123456789ab.'
check "what is before it stays" has 'Before.'
check "what is behind it stays" has 'Behind.'
cp "$scratch/README.md" "$scratch/once"
check "it is written again" table
check "it is the same then" cmp "$scratch/README.md" "$scratch/once"
check "a table that is made passes the check" table --check
sed -i '/table end/d' "$scratch/README.md"
check "a table without an end is refused" exits 1 table
printf '%s\n' '<!-- oxbench table missing -->' '<!-- oxbench table end -->' >"$scratch/README.md"
check "results that are missing are said" prints 'missing.json' table

finish
