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

cat >"$scratch/load.json" <<'JSON'
{"command": "load latency", "commit": "0123456789abcdef", "machine": "a machine", "results": [
  {"peer": "oxidize", "rounds": 3, "loaded_game_p99_ms": 27.12, "loaded_game_p99_ms_min": 26, "loaded_game_p99_ms_max": 31},
  {"peer": "none", "rounds": 3, "loaded_game_p99_ms": 305.9}]}
JSON
cat >"$scratch/traces.json" <<'JSON'
{"command": "load traces", "commit": "0123456789abcdef", "machine": "a machine", "results": [
  {"trace": "a.up", "sender": "cubic", "rounds": 1, "trace_mbit_per_s": 5.25, "utilisation_percent": 99.6, "link_queue_p95_ms": 700},
  {"trace": "a.up", "sender": "oxidize", "rounds": 1, "trace_mbit_per_s": 5.3, "utilisation_percent": 88.2, "link_queue_p95_ms": 61.4},
  {"trace": "b.up", "sender": "oxidize", "rounds": 1, "trace_mbit_per_s": 2, "utilisation_percent": null, "link_queue_p95_ms": null}]}
JSON
cat >"$scratch/bytes.json" <<'JSON'
{"command": "load bytes", "commit": "0123456789abcdef", "machine": "a machine", "results": [
  {"peer": "oxidize", "rounds": 1, "game_bytes_per_packet": 181.47, "game_saved_percent_of_wireguard_go": 15.54},
  {"peer": "none", "rounds": 1, "game_bytes_per_packet": 158.2, "game_saved_percent_of_wireguard_go": null}]}
JSON
for name in load traces bytes; do
    printf '%s\n' "<!-- oxbench table $name -->" '<!-- oxbench table end -->'
done >"$scratch/README.md"
check "the tables of oxbench load are written" table
check "a latency has its spread" \
    has '| game beside the upload, 99th percentile, ms | 27.1 (26.0 to 31.0) | 305.9 |'
check "a trace is a line, and a sender two columns" has '| a.up | 5.3 | 100 | 700 | 88 | 61 |'
check "bytes are a line, and a peer a column" has '| game, 64 to 200 bytes of UDP: both ways | 181.5 | 158.2 |'
check "what failed is a dash" has '| b.up | 2.0 | - | - | - | - |'

finish
