#include "oxcore/wire.h"

void ox_replay_init(ox_replay *replay, uint32_t window) {
    OX_ASSERT(window >= OX_REPLAY_WINDOW_MIN && window <= OX_REPLAY_WINDOW_MAX && (window & (window - 1)) == 0);
    memset(replay, 0, sizeof *replay);
    replay->window = window;
}

static bool is_set(const ox_replay *replay, uint64_t number) {
    uint64_t slot = number & (replay->window - 1);
    return replay->bits[slot / 64] >> slot % 64 & 1;
}

//= Wire.md section 5.3
//# older than the window: dropped unread, as nobody can tell whether it is a replay
ox_verdict ox_replay_check(const ox_replay *replay, uint64_t number) {
    if (number >= replay->next) return OX_PASS;
    if (replay->next - number > replay->window) return OX_DROP_TOO_OLD;
    return is_set(replay, number) ? OX_DROP_REPLAYED : OX_PASS;
}

/** Clears the bits of the numbers first to last, of which there are at most a window. */
static void clear(const ox_replay *replay, uint64_t *bits, uint64_t first, uint64_t last) {
    for (uint64_t number = first; number <= last;) {
        uint64_t slot = number & (replay->window - 1);
        if (slot % 64 == 0 && last - number >= 63) {
            bits[slot / 64] = 0;
            number += 64;
        } else {
            bits[slot / 64] &= ~((uint64_t)1 << slot % 64);
            number++;
        }
    }
}

void ox_replay_commit(ox_replay *replay, uint64_t number) {
    if (number >= replay->next) {
        bool all = number - replay->next >= replay->window;
        if (all) memset(replay->bits, 0, replay->window / 8);
        else clear(replay, replay->bits, replay->next, number);
        // Most sessions recover nothing: then there is nothing to clear.
        if (replay->next <= replay->recovered_until) {
            if (all) memset(replay->recovered, 0, replay->window / 8);
            else clear(replay, replay->recovered, replay->next, number);
        }
        replay->next = number + 1;
    }
    uint64_t slot = number & (replay->window - 1);
    replay->bits[slot / 64] |= (uint64_t)1 << slot % 64;
}

bool ox_replay_has(const ox_replay *replay, uint64_t number) {
    return number < replay->next && replay->next - number <= replay->window && is_set(replay, number);
}

void ox_replay_recover(ox_replay *replay, uint64_t number) {
    OX_ASSERT(ox_replay_check(replay, number) == OX_PASS && number < replay->next);
    uint64_t slot = number & (replay->window - 1);
    replay->bits[slot / 64] |= (uint64_t)1 << slot % 64;
    replay->recovered[slot / 64] |= (uint64_t)1 << slot % 64;
    if (number + replay->window > replay->recovered_until) replay->recovered_until = number + replay->window;
}

bool ox_replay_recovered(const ox_replay *replay, uint64_t number) {
    uint64_t slot = number & (replay->window - 1);
    return ox_replay_has(replay, number) && (replay->recovered[slot / 64] >> slot % 64 & 1) != 0;
}

bool ox_replay_arrive(ox_replay *replay, uint64_t number) {
    if (!ox_replay_recovered(replay, number)) return false;
    uint64_t slot = number & (replay->window - 1);
    replay->recovered[slot / 64] &= ~((uint64_t)1 << slot % 64);
    return true;
}
