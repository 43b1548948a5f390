#!/usr/bin/env bash
# The emulator and the flow generator against each other, over real TUN devices. TAP, for prove(1).
#
#   OXBENCH   the program to test; default: build/bin/oxbench of the tree that this file is in
set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
oxbench=${OXBENCH:-$here/../../build/bin/oxbench}

# shellcheck source=Tests/EndToEnd/tap.sh
. "$here/../../Tests/EndToEnd/tap.sh"
[ "$(id -u)" = 0 ] || skip_all "needs root, for network namespaces"
[ -c /dev/net/tun ] || skip_all "needs /dev/net/tun: modprobe tun"
for tool in ip ping jq; do
    command -v "$tool" >/dev/null || skip_all "needs $tool"
done
[ -x "$oxbench" ] || skip_all "needs oxbench at $oxbench: make build, or set OXBENCH"

a=oxlab-$$-a
b=oxlab-$$-b
dir=$(mktemp -d)
link=
cleanup() {
    [ -z "$link" ] || kill "$link" 2>/dev/null
    wait
    ip netns del "$a" 2>/dev/null
    ip netns del "$b" 2>/dev/null
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

ip netns add "$a" && ip netns add "$b" || skip_all "cannot make network namespaces here"

holds() { jq -n "$1" | grep -qx true; } # an arithmetic condition

wait_for() { # wait_for FILE
    for _ in $(seq 200); do
        [ -s "$1" ] && return 0
        sleep 0.05
    done
    return 1
}

start_link() { # start_link OPTION...
    rm -f "$dir/ready"
    "$oxbench" link --a-netns "$a" --a-address 10.77.0.1/24 --a-address fd77::1/64 \
        --b-netns "$b" --b-address 10.77.0.2/24 --b-address fd77::2/64 \
        --ready-file "$dir/ready" --json "$@" >"$dir/link.json" 2>"$dir/link.err" &
    link=$!
    wait_for "$dir/ready"
}
stop_link() {
    kill "$link"
    wait "$link"
    local status=$?
    link=
    return $status
}
link_figure() { jq ".results[$1].$2" "$dir/link.json"; } # link_figure DIRECTION KEY

flow() { # flow ADDRESS LISTEN OPTION...: sends from a to b, leaves sink.json, send.json and lost
    local to=$1 listen=$2
    shift 2
    rm -f "$dir/sink-ready" "$dir/lost"
    ip netns exec "$b" "$oxbench" flow sink --listen "$listen" --lost-list "$dir/lost" \
        --ready-file "$dir/sink-ready" --timeout 10s --json >"$dir/sink.json" &
    local sink=$!
    wait_for "$dir/sink-ready"
    ip netns exec "$a" "$oxbench" flow send --to "$to" --json "$@" >"$dir/send.json"
    wait "$sink"
}
sink_figure() { jq ".results[0].$1" "$dir/sink.json"; }

# 1. What was asked for comes out: delay, addresses of both families, order of the report.
start_link --delay 20ms --rate 20mbit --seed 7
ok $? "the link comes up"
rtt=$(ip netns exec "$a" ping -q -c 20 -i 0.05 10.77.0.2 | sed -n 's|^rtt.*= [^/]*/\([^/]*\)/.*|\1|p')
holds "${rtt:-0} >= 40 and ${rtt:-0} < 45"
ok $? "IPv4 ping takes 40 ms" "average ${rtt:-none} ms"
rtt6=$(ip netns exec "$a" ping -6 -q -c 20 -i 0.05 fd77::2 | sed -n 's|^rtt.*= [^/]*/\([^/]*\)/.*|\1|p')
holds "${rtt6:-0} >= 40 and ${rtt6:-0} < 45"
ok $? "IPv6 ping takes 40 ms" "average ${rtt6:-none} ms"

# 2. Rate: more than fits goes in; the IP bytes that come out are the rate.
flow 10.77.0.2:5000 0.0.0.0:5000 --profile bulk --rate 30mbit --size 1200 --duration 4s
ok $? "a flow above the rate is measured"
rate=$(jq '.results[0] | .payload_rate_bit_per_s * 1228 / 1200' "$dir/sink.json")
holds "($rate / 20000000 - 1) | fabs < 0.01"
ok $? "the rate is 20 mbit within 1 %" "$rate bit/s"
stop_link
ok $? "a signal ends the link with a report"
holds "$(link_figure 0 queue_full_packets) == $(sink_figure lost_packets)"
ok $? "every loss is in the report as queue_full" "$(link_figure 0 queue_full_packets) of $(sink_figure lost_packets)"
own=$(jq '[.results[] | to_entries[] | select(.key | startswith("own_")) | .value] | add' "$dir/link.json")
holds "$own == 0"
ok $? "the emulator lost nothing itself" "$own"
echo "# lateness p50 $(link_figure 0 lateness_p50_us) p99 $(link_figure 0 lateness_p99_us)" \
    "max $(link_figure 0 lateness_max_us) us"

# 3. Losses repeat to the packet, at another pace as well, and another seed has others.
lossy() { # lossy SEED PPS OUTPUT
    start_link --loss 1% --delay 5ms --seed "$1"
    flow '[fd77::2]:5000' '[::]:5000' --profile bulk --pps "$2" --size 100 --duration "$((3000 / $2))s"
    stop_link
    cp "$dir/lost" "$3"
}
lossy 11 1000 "$dir/first"
lost=$(wc -l <"$dir/first")
holds "$lost > 10 and $lost < 60"
ok $? "1 % of 3000 are lost" "$lost lost, loss_percent $(sink_figure loss_percent)"
holds "$(link_figure 0 lost_packets) == $lost or $(link_figure 0 lost_packets) == $lost + 1"
ok $? "every loss is in the report as lost" "$(link_figure 0 lost_packets) of $lost, the flow's ends apart"
lossy 11 1500 "$dir/second"
cmp -s "$dir/first" "$dir/second"
ok $? "the same seed loses the same packets at another pace"
lossy 12 1500 "$dir/third"
! cmp -s "$dir/first" "$dir/third"
ok $? "another seed loses others"

# 4. Order and copies.
start_link --delay 5ms --ab-reorder 5%,10ms --ab-duplicate 3% --seed 3
flow 10.77.0.2:5000 0.0.0.0:5000 --profile bulk --pps 1000 --size 100 --duration 2s
stop_link
holds "$(sink_figure lost_packets) == 0 and $(sink_figure reordered_packets) > 50"
ok $? "packets held back arrive late, and all arrive" "$(sink_figure reordered_packets) reordered"
holds "$(sink_figure duplicate_packets) > 20 and $(link_figure 1 duplicated_packets) == 0"
ok $? "duplicates arrive in the direction that was named" "$(sink_figure duplicate_packets) duplicates"

# 5. Wrong usage, and nothing left behind.
"$oxbench" link --a-netns "$a" --b-netns "$b" --rate 20furlongs >"$dir/out" 2>&1
[ $? = 64 ] && grep -q 20mbit "$dir/out"
ok $? "a wrong unit is refused with exit code 64 and an example"
"$oxbench" link --a-netns "oxlab-$$-none" --b-netns "$b" >"$dir/out" 2>&1
[ $? = 1 ] && grep -q 'ip netns add' "$dir/out"
ok $? "a missing namespace is refused with exit code 1 and a remedy"
! ip -n "$a" link show link0 >/dev/null 2>&1
ok $? "the devices are gone"

finish
