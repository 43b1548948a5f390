/** @file  Which flows are sparse: the usual time between their datagrams. */
#include "oxcore/repair.h"

enum { WAYS = 4, SETS = 16, SHARE = 8 /**< weight of the newest time: one in so many */ };

static const uint64_t SEEN_NS = 2000000000;           /**< a flow that was silent for longer counts no more */
static const uint64_t RARE_NS = 100000000;            /**< with longer times between them copies are of no use */
static const uint64_t FIRST_NS = 4 * OX_REPAIR_SPARSE_NS; /**< taken for the usual time of a flow that has just begun */

typedef struct pace {
    uint32_t flow;
    uint8_t class_;
    uint64_t usual_ns;
    uint64_t last_ns; /**< 0 for a free place */
} pace;

struct ox_repair_pace {
    pace flows[SETS][WAYS];
};

size_t ox_repair_pace_bytes(void) { return sizeof(ox_repair_pace); }

bool ox_repair_pace_note(ox_repair_pace *table, uint32_t flow, uint8_t class_, uint64_t now_ns) {
    pace *set = table->flows[flow % SETS], *at = &set[0];
    for (uint32_t i = 0; i < WAYS; i++) {
        if (set[i].last_ns != 0 && set[i].flow == flow) {
            at = &set[i];
            break;
        }
        if (set[i].last_ns < at->last_ns) at = &set[i];
    }
    if (at->last_ns == 0 || at->flow != flow || now_ns - at->last_ns > SEEN_NS)
        *at = (pace){.flow = flow, .usual_ns = FIRST_NS};
    else
        at->usual_ns += (now_ns - at->last_ns) / SHARE - at->usual_ns / SHARE;
    at->class_ = class_;
    at->last_ns = now_ns != 0 ? now_ns : 1;
    return at->usual_ns > OX_REPAIR_SPARSE_NS;
}

uint64_t ox_repair_pace_gap(const ox_repair_pace *table, uint8_t class_, uint64_t now_ns) {
    uint64_t longest = 0;
    const pace *all = &table->flows[0][0];
    for (uint32_t i = 0; i < SETS * WAYS; i++) {
        if (all[i].last_ns == 0 || all[i].class_ != class_ || now_ns - all[i].last_ns > SEEN_NS) continue;
        if (all[i].usual_ns <= OX_REPAIR_SPARSE_NS || all[i].usual_ns > RARE_NS) continue;
        if (all[i].usual_ns > longest) longest = all[i].usual_ns;
    }
    return longest;
}
