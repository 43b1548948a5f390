# shellcheck shell=bash
# TAP for tests in bash. A test sources it, makes a directory $scratch, calls `check`, and ends with `finish`.

tap_count=0
tap_failed=0

skip_all() {
    echo "1..0 # SKIP $1"
    exit 0
}

# check NAME COMMAND...: one test point; what the command printed is shown when it fails. The command runs in this shell,
# so that it can wait for the shell's children.
check() {
    local name=$1
    shift
    tap_count=$((tap_count + 1))
    if "$@" >"$scratch/output" 2>&1; then
        echo "ok $tap_count - $name"
    else
        tap_failed=$((tap_failed + 1))
        echo "not ok $tap_count - $name"
        sed 's/^/#   /' "$scratch/output"
    fi
}

# ok STATUS NAME [WHAT CAME OUT]: one test point that has been decided already.
ok() {
    tap_count=$((tap_count + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $tap_count - $2"
    else
        tap_failed=$((tap_failed + 1))
        echo "not ok $tap_count - $2"
    fi
    [ -z "${3:-}" ] || echo "# $3"
}

skip() {
    tap_count=$((tap_count + 1))
    echo "ok $tap_count - $1 # SKIP $2"
}

finish() {
    echo "1..$tap_count"
    [ "$tap_failed" -eq 0 ]
}

# within SECONDS COMMAND...: succeeds as soon as the command does. Shows what its last run printed.
within() {
    local end=$((SECONDS + $1)) output
    shift
    until output=$("$@" 2>&1); do
        [ "$SECONDS" -lt "$end" ] || { echo "$output"; return 1; }
        sleep 0.1
    done
}

# exits CODE COMMAND...
exits() {
    local expected=$1 code=0
    shift
    "$@" || code=$?
    [ "$code" -eq "$expected" ] || { echo "exit code $code instead of $expected"; return 1; }
}

# prints PATTERN COMMAND...: on standard output or standard error, an extended regular expression.
prints() {
    local pattern=$1 output
    shift
    output=$("$@" 2>&1)
    grep -Eq -- "$pattern" <<<"$output" || { echo "no match of '$pattern' in:"; echo "$output"; return 1; }
}

# The program under test, as an absolute path.
find_oxidize() {
    local candidate
    for candidate in "${OXIDIZE:-}" "$1/build/bin/oxidize" "$1/.build/debug/oxidize"; do
        [ -n "$candidate" ] && [ -x "$candidate" ] && { realpath "$candidate"; return; }
    done
    return 1
}
