#!/usr/bin/env bash
# Links that are filled, briefly: that every figure is measured, and that nothing is left. No figure is asserted, for a
# busy machine has others. TAP, for prove(1).
#
#   OXBENCH        the program to test; default: build/bin/oxbench of the tree that this file is in
#   OXIDIZE        the program that it measures; default: the oxidize beside it
set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
oxbench=${OXBENCH:-$here/../../build/bin/oxbench}
oxidize=${OXIDIZE:-$(dirname "$oxbench")/oxidize}

# shellcheck source=Tests/EndToEnd/tap.sh
. "$here/../../Tests/EndToEnd/tap.sh"
[ "$(id -u)" = 0 ] || skip_all "needs root, for network namespaces"
[ -c /dev/net/tun ] || skip_all "needs /dev/net/tun: modprobe tun"
for tool in gzip ip iperf3 jq nsenter ping setpriv tar unshare; do
    command -v "$tool" >/dev/null || skip_all "needs $tool: make deps"
done
for program in "$oxbench" "$oxidize"; do
    [ -x "$program" ] || skip_all "needs $program: make build, or set OXBENCH and OXIDIZE"
done
unshare --net --mount --pid --fork -- true 2>/dev/null || skip_all "cannot make namespaces here"
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

# A late emulator is no failure here.
brief=(--quick --seconds 1 --attempts 1 --oxidize "$oxidize")
load() { "$oxbench" load "$@"; }
holds() { jq -e "$1" <<<"$report" >/dev/null; }
nothing_is_left() {
    local left
    left=$(
        ls -d /run/oxbench /run/netns/client /run/netns/relay "${TMPDIR:-/tmp}"/oxbench-* 2>/dev/null
        ip -br link | grep -E '^(link0|ox-client|ox-relay)'
    )
    [ -z "$left" ] || { echo "$left"; return 1; }
}
run_keys='.rounds == 1 and .discarded_runs == 0 and .late_runs <= 1 and .failed_runs == 0
    and (.link_lateness_p99_us | type == "number") and (.link_own_lost_packets | type == "number")'

# 1. A game beside an upload.
report=$(load "${brief[@]}" --peers oxidize,none --json 2>"$scratch/told")
ok $? "a game beside an upload is measured" "$(tail -n 3 "$scratch/told")"
holds '.command == "load latency" and [.results[].peer] == ["oxidize", "none"]'
ok $? "latency is the default, and each peer has a result"
holds "[.results[] | $run_keys] | all"
ok $? "each says how many runs there were, and how late the emulator was"
holds '[.results[] | .rate_mbit_per_s == 20 and .rtt_ms == 40 and .buffer_ms == 300 and .congestion_control == "cubic"] | all'
ok $? "the link is the one that is told"
holds '[.results[] | .idle_game_p50_ms > 20 and .idle_game_p99_ms >= .idle_game_p50_ms
        and .onset_game_p99_ms >= .onset_game_p50_ms and .loaded_game_p99_ms >= .loaded_game_p50_ms
        and .loaded_game_p50_ms > 20 and .upload_goodput_mbit_per_s > 0 and .upload_goodput_mbit_per_s < 20
        and .added_game_p99_ms_min <= .added_game_p99_ms and (.meets_bar | type == "boolean")] | all' ||
    { echo "$report" >&2; false; }
ok $? "the game has delays, and the upload a goodput" \
    "$(jq -c '[.results[] | [.idle_game_p99_ms, .loaded_game_p99_ms, .upload_goodput_mbit_per_s]]' <<<"$report")"
ok "$(nothing_is_left >/dev/null; echo $?)" "nothing is left"

# 2. Loss.
report=$(load loss "${brief[@]}" --peers oxidize --loss 2%,4% --rate 10mbit --rtt 20ms --cc bbr --json 2>"$scratch/told")
ok $? "a link that loses is measured" "$(tail -n 3 "$scratch/told")"
holds ".command == \"load loss\" and [.results[].loss_percent] == [2, 4] and ([.results[] | $run_keys] | all)"
ok $? "each loss has a result"
holds '[.results[] | .tcp_goodput_mbit_per_s > 0 and .udp_goodput_mbit_per_s > 0 and .wire_percent_of_rate > 0
        and .congestion_control == "bbr"] | all'
ok $? "TCP and UDP got through"

# 3. Traces: 12 and 6 Mbit/s, packed; one has no other direction.
mkdir "$scratch/traces"
seq 1 1000 >"$scratch/traces/even.up"
seq 1 1000 >"$scratch/traces/even.down"
seq 2 2 1000 | gzip >"$scratch/traces/half.down.gz"
tar -cJf "$scratch/traces.tar.xz" -C "$scratch" traces
report=$(load traces "${brief[@]}" --traces "$scratch/traces.tar.xz" --senders cubic,oxidize --json 2>"$scratch/told")
ok $? "traces are measured" "$(tail -n 3 "$scratch/told")"
holds '[.results[] | [.trace, .sender]] == [["even.down", "cubic"], ["even.down", "oxidize"], ["even.up", "cubic"],
        ["even.up", "oxidize"], ["half.down", "cubic"], ["half.down", "oxidize"]]'
ok $? "each direction and each sender has a result"
holds "[.results[] | $run_keys and .utilisation_percent > 0 and .utilisation_percent < 105
        and .link_queue_p95_ms >= .link_queue_p50_ms] | all"
ok $? "utilisation and queueing were measured" "$(jq -c '[.results[] | .utilisation_percent]' <<<"$report")"
holds '(.results[0].trace_mbit_per_s - 12 | fabs < 0.2) and (.results[4].trace_mbit_per_s - 6 | fabs < 0.1)
        and .results[0].trace_wait_p95_ms == 0 and .results[4].trace_wait_p95_ms == 1'
ok $? "what a trace can carry is counted from it"
mkdir -p "$scratch/far/away" # where there is no shared folder beside
check "without traces it says so, and that is no failure" \
    prints 'SKIP' env -C "$scratch/far/away" -u OXIDIZE_DATA "$(realpath "$oxbench")" load traces --json

# 4. Bytes: counted, so they are asserted. A game of 64 to 200 bytes and a call of 172 have 28 more of UDP and IPv4.
report=$(load bytes "${brief[@]}" --seconds 2 --peers oxidize,oxidize-without-header-compression,none --json 2>"$scratch/told")
ok $? "bytes on the wire are counted" "$(tail -n 3 "$scratch/told")"
holds ".command == \"load bytes\" and ([.results[] | $run_keys] | all)"
ok $? "each peer has a result"
bytes() { jq -c "[.results[] | $1]" <<<"$report"; }
holds '.results[2] | .voice_up_bytes_per_packet == 200 and .voice_down_bytes_per_packet == 0
        and .game_up_bytes_per_packet > 92 and .game_up_bytes_per_packet < 228'
ok $? "without a tunnel they are those of the packets" "$(bytes '.game_up_bytes_per_packet, .voice_up_bytes_per_packet')"
# An acknowledgement has 52 bytes, or some more where segments are missing.
holds '.results[2] | .ack_bytes_per_packet >= 52 and .ack_bytes_per_packet < 66
        and .download_down_bytes_per_full_packet >= 1490 and .download_down_bytes_per_full_packet < 1600'
ok $? "a download has full packets and acknowledgements" \
    "$(bytes '.ack_bytes_per_packet, .download_down_bytes_per_full_packet')"
# Around a packet there are 28 bytes of outer UDP and IPv4, 16 of tag and at least 3 of header; a stall lets some share a datagram.
holds '.results[1].voice_up_bytes_per_packet >= 240 and .results[1].voice_up_bytes_per_packet < 260
        and .results[1].game_up_bytes_per_packet - .results[2].game_up_bytes_per_packet >= 40'
ok $? "a tunnel without header compression adds to them" "$(bytes '.game_up_bytes_per_packet, .voice_up_bytes_per_packet')"
holds '(.results[1].game_up_bytes_per_packet - .results[0].game_up_bytes_per_packet) as $game
        | (.results[1].voice_up_bytes_per_packet - .results[0].voice_up_bytes_per_packet) as $voice
        | $game > 18 and $game <= 28 and $voice > 25 and $voice <= 40
        and .results[0].ack_bytes_per_packet < .results[1].ack_bytes_per_packet - 20'
ok $? "header compression takes most of their headers away" "$(bytes '.ack_bytes_per_packet')"
holds '(.results[0] | .game_saved_percent_of_uncompressed > 5 and .voice_saved_percent_of_uncompressed > 8
        and .ack_saved_percent_of_uncompressed > 20 and .game_saved_percent_of_wireguard_go == null)
        and .results[1].game_saved_percent_of_uncompressed == 0'
ok $? "the share that is saved is told where there is something to compare with"

# 5. What cannot be.
for wrong in "--peers nobody" "--rounds 0" "--cc reno" "loss --loss 200%" "traces --senders nobody" "--buffer 0" \
    "bytes --peers oxidize-without-nothing"; do
    # shellcheck disable=SC2086
    check "wrong usage is said with exit code 64: $wrong" exits 64 load $wrong
done
check "traces that are not there are refused" exits 1 load traces --traces "$scratch/none"
check "a program that is not there is refused" exits 1 load --oxidize "$scratch/none"
chmod 755 "$scratch"
cp "$oxbench" "$scratch/oxbench" && cp "$oxidize" "$scratch/oxidize"
refused_or_runs() {
    local code=0
    setpriv --reuid=65534 --regid=65534 --clear-groups "$scratch/oxbench" load --quick --seconds 1 --attempts 1 --peers none \
        >"$scratch/said" 2>&1 || code=$?
    [ "$code" -eq 0 ] || { [ "$code" -eq 1 ] && grep -q 'with sudo' "$scratch/said"; } ||
        { echo "exit code $code"; cat "$scratch/said"; return 1; }
}
check "for an ordinary user it runs, or says what to do" refused_or_runs
check "nothing is left in the end" nothing_is_left

finish
