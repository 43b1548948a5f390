#!/usr/bin/env bash
# What the tunnel adds on the wire, against its bar. TAP, for prove(1).
#
#   OXBENCH   the program to test; default: build/bin/oxbench of the tree that this file is in
set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
oxbench=${OXBENCH:-$here/../../build/bin/oxbench}

# shellcheck source=Tests/EndToEnd/tap.sh
. "$here/../../Tests/EndToEnd/tap.sh"
command -v jq >/dev/null || skip_all "needs jq"
[ -x "$oxbench" ] || skip_all "needs oxbench at $oxbench: make build, or set OXBENCH"

report=$("$oxbench" wire --json)
ok $? "wire is within its bar"
holds() { jq -e "$1" <<<"$report" >/dev/null; }

holds '.command == "wire" and (.commit | type == "string") and (.machine | type == "string")'
ok $? "the report has its frame"
holds '[.results[] | select(.header_bytes != null) | .header_bytes] | length > 20 and all(. >= 3 and . <= 6)'
ok $? "every data header has 3 to 6 bytes"
holds '[.results[] | select(.kind == "game_64_ipv4") | .overhead_bytes] | length == 4 and all(. <= 26)'
ok $? "64 bytes of UDP over IPv4 cost at most 26" \
    "$(jq -c '[.results[] | select(.kind == "game_64_ipv4") | .overhead_bytes]' <<<"$report")"
holds '[.results[] | select(.session_id_bytes > 0 and .inner_packets > 0 and .datagrams == 1)
        | .overhead_bytes < .wireguard_overhead_bytes] | all'
ok $? "what fits in a datagram costs less than in WireGuard"
per_packet() { jq "[.results[] | select(.kind == \"flow_$1\" and .header_compression == $2) | .wire_bytes_per_packet][0]" <<<"$report"; }
for flow in game:22 voice:32 acknowledgement:38 download:-1; do # a download's packets are large: they go as they are
    kind=${flow%:*} spared=${flow#*:}
    holds "$(per_packet "$kind" true) <= $(per_packet "$kind" false) - $spared"
    ok $? "compressed headers spare a packet of a $kind flow $spared bytes" "$(per_packet "$kind" false) to $(per_packet "$kind" true)"
done
[ "$report" = "$("$oxbench" wire --json)" ]
ok $? "it counts the same again"

finish
