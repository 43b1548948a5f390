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

# The sink waits longer than a stall of the machine may hold back the last of the flow's ends.
flow() { # flow ADDRESS LISTEN OPTION...: sends from a to b, leaves sink.json, send.json and lost
    local to=$1 listen=$2
    shift 2
    rm -f "$dir/sink-ready" "$dir/lost"
    ip netns exec "$b" "$oxbench" flow sink --listen "$listen" --lost-list "$dir/lost" \
        --ready-file "$dir/sink-ready" --timeout 10s --linger 2s --json >"$dir/sink.json" &
    local sink=$!
    wait_for "$dir/sink-ready"
    ip netns exec "$a" "$oxbench" flow send --to "$to" --json "$@" >"$dir/send.json"
    wait "$sink"
}
sink_figure() { jq ".results[0].$1" "$dir/sink.json"; }
send_figure() { jq ".results[0].$1" "$dir/send.json"; }
# The datagrams that tell a flow's end meet the link as well, and may be lost there.
lost_on_link() {
    jq -n --slurpfile send "$dir/send.json" --slurpfile sink "$dir/sink.json" '$sink[0].results[0] as $sink
        | $sink.lost_packets - $sink.own_socket_dropped_packets + $send[0].results[0].end_packets - $sink.end_packets'
}

# 1. What was asked for comes out: delay, addresses of both families, order of the report.
takes_40_ms() { # takes_40_ms FAMILY ADDRESS: the least of 20, which a stall of the machine does not touch
    rtt=$(ip netns exec "$a" ping "$1" -q -c 20 -i 0.05 "$2" | sed -n 's|^rtt[^=]*= \([^/]*\)/.*|\1|p')
    holds "${rtt:-0} >= 40 and ${rtt:-0} < 45"
}
start_link --delay 20ms --rate 20mbit --seed 7
ok $? "the link comes up"
takes_40_ms -4 10.77.0.2
ok $? "IPv4 ping takes 40 ms" "at least ${rtt:-none} ms"
takes_40_ms -6 fd77::2
ok $? "IPv6 ping takes 40 ms" "at least ${rtt:-none} ms"
stop_link
ok $? "a signal ends the link with a report"

# 2. Rate: more than fits goes in; the IP bytes that come out are the rate. Stalls at both ends of the flow count as its
# time: where they may be 1 % of it, it is measured again.
keeps_rate() {
    rate=$(jq '.results[0] | .payload_rate_bit_per_s * 1228 / 1200' "$dir/sink.json")
    holds "(${rate:-0} / 20000000 - 1) | fabs < 0.01"
}
stalled() { holds "[$(link_figure 0 lateness_max_us), $(send_figure lateness_max_us)] | max > 15000"; }
for attempt in 1 2 3; do
    start_link --delay 20ms --rate 20mbit --seed 7 &&
        flow 10.77.0.2:5000 0.0.0.0:5000 --profile bulk --rate 30mbit --size 1200 --duration 4s
    measured=$?
    stop_link
    if keeps_rate || ! stalled; then break; fi
    echo "# attempt $attempt: $rate bit/s, and the machine stalled"
done
ok "$measured" "a flow above the rate is measured"
keeps_rate
ok $? "the rate is 20 mbit within 1 %" "$rate bit/s"
holds "$(link_figure 0 queue_full_packets) == $(lost_on_link)"
ok $? "every loss is in the report as queue_full" "$(link_figure 0 queue_full_packets) of $(lost_on_link)"
own=$(jq '[.results[] | to_entries[] | select(.key | startswith("own_")) | .value] | add' "$dir/link.json")
holds "$own == 0"
ok $? "the emulator lost nothing itself" "$own"
echo "# lateness p50 $(link_figure 0 lateness_p50_us) p99 $(link_figure 0 lateness_p99_us)" \
    "max $(link_figure 0 lateness_max_us) us"

# A single burst of datagrams as small as those that tell the end: unless the sender stalls, the first end finds no room.
start_link --rate 4mbit --seed 7
flow 10.77.0.2:5000 0.0.0.0:5000 --profile bulk --pps 100000 --burst 4000 --size 32 --duration 40ms
stop_link
holds "$(link_figure 0 queue_full_packets) == $(lost_on_link)"
ok $? "so is every loss of datagrams as small as the flow's ends" \
    "$(link_figure 0 queue_full_packets) of $(lost_on_link), $(sink_figure end_packets) of $(send_figure end_packets) ends arrived"

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
holds "$(link_figure 0 lost_packets) == $(lost_on_link)"
ok $? "every loss is in the report as lost" "$(link_figure 0 lost_packets) of $(lost_on_link)"
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
