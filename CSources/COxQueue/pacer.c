#include "oxcore/queue.h"

enum {
    NS_PER_SECOND = 1000000000,
    URGENT_NS = 10000000,      /* the bucket of urgent bytes holds what fills it in that time, */
    URGENT_LEAST = 2 * OX_INNER_MTU, /* but two datagrams at least */
};

typedef unsigned __int128 wide;

/* The time that so many bytes take at the rate. */
static uint64_t time_of(const ox_pacer *pacer, uint64_t bytes) {
    return (uint64_t)((wide)bytes * NS_PER_SECOND / pacer->rate);
}

/* What the bucket of urgent bytes holds, in tenths of bytes: so reckoned, a tenth of the rate that flows in is the rate. */
static int64_t urgent_most(const ox_pacer *pacer) {
    const int64_t of_rate = (int64_t)((wide)pacer->rate * URGENT_NS / NS_PER_SECOND);
    const int64_t least = (int64_t)URGENT_LEAST * OX_PACER_URGENT_SHARE;
    return of_rate > least ? of_rate : least;
}

void ox_pacer_set(ox_pacer *pacer, uint64_t rate, uint64_t quantum, uint64_t now_ns) {
    if (rate != pacer->rate) {
        const uint64_t wait = pacer->next_ns > now_ns ? pacer->next_ns - now_ns : 0;
        const bool first = pacer->rate == 0;
        /* Whoever had no limit has nothing to catch up. */
        if (first) pacer->next_ns = now_ns;
        else if (wait != 0) pacer->next_ns = now_ns + (rate != 0 ? (uint64_t)((wide)wait * pacer->rate / rate) : 0);
        pacer->remainder = 0;
        pacer->rate = rate;
        if (first) {
            pacer->urgent = urgent_most(pacer);
            pacer->urgent_ns = now_ns;
        }
    }
    pacer->quantum = quantum;
}

bool ox_pacer_ready(const ox_pacer *pacer, uint64_t now_ns) { return pacer->rate == 0 || pacer->next_ns <= now_ns; }

uint64_t ox_pacer_due(const ox_pacer *pacer) {
    /* Half a quantum at a time, and not each datagram for itself: the other half is for who wakes up late. */
    return pacer->rate == 0 ? 0 : pacer->next_ns + time_of(pacer, pacer->quantum / 2);
}

static void fill(ox_pacer *pacer, uint64_t now_ns) {
    if (now_ns <= pacer->urgent_ns) return;
    const int64_t most = urgent_most(pacer);
    const wide gained = (wide)(now_ns - pacer->urgent_ns) * pacer->rate / NS_PER_SECOND;
    if (pacer->urgent >= most || gained >= (wide)(most - pacer->urgent)) {
        pacer->urgent = most;
        pacer->urgent_ns = now_ns;
        return;
    }
    /* Only the time that whole bytes took has gone by: who asks often gets no less. */
    pacer->urgent += (int64_t)gained;
    pacer->urgent_ns += (uint64_t)((gained * NS_PER_SECOND + pacer->rate - 1) / pacer->rate);
}

bool ox_pacer_ready_urgent(ox_pacer *pacer, uint32_t bytes, uint64_t now_ns) {
    if (pacer->rate == 0) return true;
    fill(pacer, now_ns);
    return pacer->urgent >= (int64_t)bytes * OX_PACER_URGENT_SHARE;
}

void ox_pacer_sent(ox_pacer *pacer, uint32_t bytes, bool urgent, uint64_t now_ns) {
    if (pacer->rate == 0) {
        pacer->next_ns = now_ns;
        return;
    }
    const uint64_t late = time_of(pacer, pacer->quantum);
    const uint64_t earliest = now_ns > late ? now_ns - late : 0;
    if (pacer->next_ns < earliest) {
        pacer->next_ns = earliest;
        pacer->remainder = 0;
    }
    /* What the division leaves goes on to the next datagram: the rate is exact however long it is kept. */
    const wide cost = (wide)bytes * NS_PER_SECOND + pacer->remainder;
    pacer->next_ns += (uint64_t)(cost / pacer->rate);
    pacer->remainder = (uint64_t)(cost % pacer->rate);
    if (urgent) pacer->urgent -= (int64_t)bytes * OX_PACER_URGENT_SHARE;
}
