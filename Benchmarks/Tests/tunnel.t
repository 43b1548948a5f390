#!/usr/bin/env bash
# Tunnels beside each other, briefly: that every figure is measured, and that nothing is left. TAP, for prove(1).
#
#   OXBENCH   the program to test; default: build/bin/oxbench of the tree that this file is in
#   OXIDIZE   the program that it measures; default: the oxidize beside it
set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
oxbench=${OXBENCH:-$here/../../build/bin/oxbench}
oxidize=${OXIDIZE:-$(dirname "$oxbench")/oxidize}

# shellcheck source=Tests/EndToEnd/tap.sh
. "$here/../../Tests/EndToEnd/tap.sh"
[ "$(id -u)" = 0 ] || skip_all "needs root, for network namespaces"
[ -c /dev/net/tun ] || skip_all "needs /dev/net/tun: modprobe tun"
for tool in ethtool ip iperf3 jq nsenter ping unshare; do
    command -v "$tool" >/dev/null || skip_all "needs $tool: make deps"
done
for program in "$oxbench" "$oxidize"; do
    [ -x "$program" ] || skip_all "needs $program: make build, or set OXBENCH and OXIDIZE"
done
unshare --net --mount --pid --fork -- true 2>/dev/null || skip_all "cannot make namespaces here"
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

tunnel() { "$oxbench" tunnel --oxidize "$oxidize" "$@"; }
holds() { jq -e "$1" <<<"$report" >/dev/null; }

report=$(tunnel --quick --peers oxidize@chacha20-poly1305,none --underlay nic --json 2>"$scratch/told")
ok $? "a tunnel and none are compared" "$(tail -n 3 "$scratch/told")"
holds '[.results[].peer] == ["oxidize@chacha20-poly1305", "none"] and all(.results[]; .underlay == "nic")'
ok $? "each has a result"
holds '.results[0].aead == "chacha20-poly1305"'
ok $? "the AEAD is the one that was asked for"
holds '[.results[] | .tcp_down_gbit_per_s > 0 and .tcp_up_gbit_per_s > 0 and .ping_p50_us > 0
        and .ping_p99_us >= .ping_p50_us and .udp_64_pps > 0 and .udp_1200_pps > 0
        and .overload_offered_pps > 0 and .overload_delivered_pps > 0] | all'
ok $? "traffic passed, of every kind" \
    "$(jq -c '[.results[] | [.tcp_down_gbit_per_s, .udp_64_pps, .ping_p50_us]]' <<<"$report")"
holds '.results[0] | .tcp_down_cpu_s_per_gb > 0 and .rss_mb > 1'
ok $? "the tunnel cost processor time and memory"
holds '.results[1] | .tcp_down_cpu_s_per_gb == null and .rss_mb == null'
ok $? "none cost nothing"
holds '[.results[] | .tcp_down_goodput_percent_of_wire > 80 and .tcp_down_goodput_percent_of_wire < 97] | all'
ok $? "TCP payload is most of what is on the wire" \
    "$(jq -c '[.results[].tcp_down_goodput_percent_of_wire]' <<<"$report") %"

report=$(tunnel --configured-peers 300 --peers oxidize --rounds 1 --seconds 1 --json 2>"$scratch/told")
ok $? "configured peers are measured" "$(tail -n 3 "$scratch/told")"
holds '[.results[].configured_peers] == [1, 300]'
ok $? "one peer and many"
holds '[.results[] | .relay_start_s > 0 and .relay_rss_mb > 1 and .relay_receive_us_per_packet > 0
        and .relay_send_us_per_packet > 0] | all'
ok $? "the relay's start, memory and time a packet"

! ls -d /run/oxbench /run/netns/client /run/netns/relay 2>/dev/null
ok $? "nothing is left"
tunnel --oxidize /nonexistent >/dev/null 2>&1
[ $? = 1 ]
ok $? "what cannot be measured is said with exit code 1"
for wrong in "--peers nobody" "--rounds 0" "--peer-cmd nonsense" "--peer-cmd new=/nonexistent" "--configured-peers 1"; do
    # shellcheck disable=SC2086
    tunnel $wrong >/dev/null 2>&1
    [ $? = 64 ]
    ok $? "wrong usage is said with exit code 64: $wrong"
done

finish
