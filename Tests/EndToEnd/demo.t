#!/bin/bash
# `oxbench demo` from outside: it measures every column, says what failed, and leaves nothing behind. TAP: run it with
# prove, as root. OXIDIZE and OXBENCH name the programs.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
# shellcheck source=Tests/EndToEnd/tap.sh
. "$root/Tests/EndToEnd/tap.sh"
[ "$(id -u)" -eq 0 ] || skip_all "needs root, for network namespaces"
[ -c /dev/net/tun ] || skip_all "needs /dev/net/tun: modprobe tun"
for tool in ip iperf3 jq nsenter ping setpriv sysctl unshare; do
    command -v "$tool" >/dev/null || skip_all "needs $tool: run make deps"
done
unshare --net --mount --pid --fork true 2>/dev/null || skip_all "cannot make namespaces here"
oxidize=$(find_oxidize "$root") || skip_all "there is no program yet: run make build, or set OXIDIZE"
oxbench=${OXBENCH:-$root/build/bin/oxbench}
[ -x "$oxbench" ] || skip_all "there is no oxbench yet: run make build, or set OXBENCH"

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM HUP
# Where an ordinary user can run them.
chmod 755 "$scratch"
cp "$oxbench" "$scratch/oxbench" && cp "$oxidize" "$scratch/oxidize" || exit 1

# Every process of a demo inherits this variable; the shell itself was started without it.
mark=$$-$RANDOM
demo() { env OX_DEMO_TEST="$mark" "$scratch/oxbench" demo --quick "$@"; }
processes() {
    local environment pid
    for environment in /proc/[0-9]*/environ; do
        grep -qaxz "OX_DEMO_TEST=$mark" "$environment" 2>/dev/null || continue
        pid=${environment#/proc/}
        echo "${pid%/environ} $(tr '\0' ' ' 2>/dev/null <"${environment%environ}cmdline")"
    done 2>/dev/null
}
a_process_runs() { [ -n "$(processes)" ]; }
nothing_is_left() {
    local left
    left=$(
        processes
        ls -d /run/oxbench /run/wireguard/wg-client.sock /run/wireguard/wg-relay.sock 2>/dev/null
        ls -d "${TMPDIR:-/tmp}"/oxbench-* 2>/dev/null
        ip netns list | grep -Ex '(client|relay|server)( .*)?'
        ip -br link | grep -E '^(link0|ox-client|ox-relay|wg-client|wg-relay)'
    )
    [ -z "$left" ] || { echo "$left"; return 1; }
}

# All of it.
measures() { demo --json >"$scratch/report" 2>"$scratch/told" || { cat "$scratch/told"; return 1; }; }
holds() { # holds CONDITION
    jq -e "[.results[]] as [\$direct, \$wireguard, \$oxidize] | $1" "$scratch/report" >/dev/null ||
        { cat "$scratch/report"; return 1; }
}
shows_configuration_without_secrets() {
    grep -q 'endpoint = "' "$scratch/told" && ! grep -q 'private-key = ' "$scratch/told"
}
check "the demo succeeds" measures
check "it reports three columns" \
    holds '[$direct, $wireguard, $oxidize | .column] == ["direct", "wireguard-go", "Oxidize"]'
check "the link takes 40 ms there and back" \
    holds '[$direct, $oxidize] | all(.rtt_p50_ms >= 40 and .rtt_p99_ms >= .rtt_p50_ms)'
check "TCP gets through" holds '[$direct, $oxidize] | all(.tcp_throughput_mbit_per_s > 0)'
check "a handshake takes a round trip at least" holds '$oxidize.handshake_ms >= 40'
check "the game gets through" holds '$oxidize | .game_sent_packets == 120 and .game_lost_packets < 30'
# 28 bytes of outer headers, at most 26 of the tunnel's own, and a little for feedback; less up to 26 of 28, or 40 of a call.
check "a game packet costs at most 60 bytes more than without a tunnel, repair and compression aside" \
    holds '($oxidize.wire_bytes_per_game_packet_without_compression - $direct.wire_bytes_per_game_packet_without_loss)
    | . > 28 and . <= 60'
check "and at most 40 with its header compressed, where packets are lost and nothing is repaired" \
    holds '($oxidize.wire_bytes_per_game_packet_without_repair - $direct.wire_bytes_per_game_packet_at_5_percent_loss)
    | . > 0 and . <= 40'
check "compressed headers spare bytes of a game and of a call" holds '$oxidize |
    .wire_bytes_per_game_packet_without_compression - .wire_bytes_per_game_packet_without_loss > 15 and
    .wire_bytes_per_call_packet_without_compression - .wire_bytes_per_call_packet_without_loss > 20'
check "a game over a link that loses 5 % loses less with repair, at no more than three times the bytes" holds '$oxidize |
    .game_lost_without_repair_percent > 1 and .game_lost_at_5_percent_loss_percent < .game_lost_without_repair_percent / 2
    and .wire_bytes_per_game_packet_at_5_percent_loss < 3 * .wire_bytes_per_game_packet_without_repair'
check "a game beside an upload is measured in every column" holds '[$direct, $oxidize] | all(
    .game_p99_while_uploading_ms >= .game_p50_while_uploading_ms and .game_p50_while_uploading_ms > 20
    and .upload_goodput_mbit_per_s > 0 and .upload_goodput_mbit_per_s < 20)'
check "the configuration is shown, and no private key" shows_configuration_without_secrets
check "nothing is left behind" nothing_is_left

# Signals.
ends_by() { # ends_by SIGNAL EXIT_CODE
    # With a session of its own, and the signals that a shell's background jobs ignore set back.
    env OX_DEMO_TEST="$mark" setsid env --default-signal=INT,QUIT "$scratch/oxbench" demo --quick &
    local pid=$!
    sleep 2
    a_process_runs || { echo "no process of the demo was found while it ran"; return 1; }
    kill -s "$1" "$pid"
    exits "$2" wait "$pid"
}
check "SIGINT ends it with 130" ends_by INT 130
check "nothing is left behind after SIGINT" nothing_is_left
check "SIGTERM ends it with 143" ends_by TERM 143
check "nothing is left behind after SIGTERM" nothing_is_left
check "SIGKILL ends it with 137" ends_by KILL 137
check "nothing is left behind after SIGKILL" within 10 nothing_is_left

# Failures, each told with its reason.
printf '#!/bin/sh\n[ "$1" != relay ] || { echo "out of order" >&2; exit 3; }\nexec "%s" "$@"\n' "$scratch/oxidize" \
    >"$scratch/broken"
chmod 755 "$scratch/broken"
fails_with_last_words() {
    exits 1 demo --oxidize "$scratch/broken" >"$scratch/told" 2>&1 && grep -q 'exit code 3' "$scratch/told" &&
        grep -q 'out of order' "$scratch/told" || { cat "$scratch/told"; return 1; }
}
check "a program that is not there is refused" exits 1 demo --oxidize "$scratch/none"
check "a program that is not there gets a remedy" prints 'make build' demo --oxidize "$scratch/none"
check "a relay that fails ends it, and its last words are shown" fails_with_last_words
check "nothing is left behind after a failure" nothing_is_left

# An ordinary user: where the system does not let them, there is a remedy.
runs_or_says_what_to_do() {
    local code=0
    env OX_DEMO_TEST="$mark" setpriv --reuid=65534 --regid=65534 --clear-groups "$scratch/oxbench" demo --quick \
        >"$scratch/told" 2>&1 || code=$?
    [ "$code" -eq 0 ] || { [ "$code" -eq 1 ] && grep -q 'with sudo' "$scratch/told"; } ||
        { echo "exit code $code"; cat "$scratch/told"; return 1; }
}
check "for an ordinary user it runs, or says what to do" runs_or_says_what_to_do
check "nothing is left behind by an ordinary user" nothing_is_left
finish
