/* What a channel that loses, delays and repeats packets does to them. */
#include <stdlib.h>
#include <string.h>

#include "ends.h"
#include "lab/problem.h"
#include "lab/random.h"

enum { WAITING_MAX = 64, FEEDBACK_WAITING = 256, CONTEXTS = 1 << 14, SPARSE = 8, COUNT_BYTES = 3 };

/* What is drawn for a packet. */
enum { DRAW_LOSS = 1, DRAW_RECOVER, DRAW_LATE, DRAW_PLACES, DRAW_TWICE, DRAW_TWICE_PLACES };

typedef struct travelling {
    uint8_t wire[LAB_ROHC_PACKET_MAX + OX_ROHC_HEADER_MAX], packet[LAB_ROHC_PACKET_MAX];
    uint32_t wire_bytes, bytes;
    uint64_t number, due, sent_ns; /* `due`: the number of the packet behind which it comes */
    bool raw, repeated, counted;
    uint16_t count;
} travelling;

/* Of a context of the sender. */
typedef struct course {
    uint64_t number;
    uint16_t count;
} course;

typedef struct said {
    uint64_t at_ns;
    uint32_t bytes;
    uint8_t elements[OX_ROHC_FEEDBACK_MAX];
} said;

typedef struct passing {
    ends e;
    const lab_rohc_channel *channel;
    lab_rohc_tally *tally;
    uint64_t seed, highest, missing;
    bool in_burst;
    travelling *waiting; /* WAITING_MAX; those with a number */
    said *answers;       /* FEEDBACK_WAITING, a ring */
    course *courses;     /* CONTEXTS */
    uint32_t first_answer, answers_count;
} passing;

/* Gilbert: a burst begins so often that the share of lost packets is `loss`, and ends after `burst` packets in the mean. */
static bool loses(passing *p, uint64_t number) {
    const double burst = p->channel->burst > 1 ? p->channel->burst : 1, loss = p->channel->loss;
    if (burst == 1) return lab_draw_chance(p->seed, number, DRAW_LOSS, loss);
    if (p->in_burst) p->in_burst = !lab_draw_chance(p->seed, number, DRAW_RECOVER, 1 / burst);
    else p->in_burst = lab_draw_chance(p->seed, number, DRAW_LOSS, loss / ((1 - loss) * burst));
    return p->in_burst;
}

static void arrive(passing *p, const travelling *t) {
    static ox_rohc_decompressed back;
    lab_rohc_tally *tally = p->tally;
    const bool late = t->number < p->highest;
    if (t->number > p->highest) {
        p->missing += t->number - p->highest - 1;
        p->highest = t->number;
    }
    if (t->raw) {
        if (t->repeated) tally->duplicates++;
        else tally->exact++;
        return;
    }
    ox_rohc_arrival arrival = {0};
    if (!p->channel->unnumbered) {
        arrival = (ox_rohc_arrival){.number = t->number, .lost = p->missing, .count = t->count, .counted = t->counted};
    }
    const ox_rohc_verdict verdict = ox_rohc_decompress(p->e.receiver, t->wire, t->wire_bytes, &arrival, &back);
    if (verdict == OX_ROHC_PASS && !ends_equal(&back, t->packet, t->bytes)) tally->wrong++;
    else if (t->repeated) tally->duplicates++;
    else if (verdict == OX_ROHC_PASS) tally->exact++;
    else if (late) tally->refused_late++, tally->refused++;
    else tally->refused++;
    said *answer = &p->answers[(p->first_answer + p->answers_count) % FEEDBACK_WAITING];
    answer->bytes = ox_rohc_feedback_take(p->e.receiver, answer->elements, sizeof answer->elements);
    answer->at_ns = t->sent_ns + p->channel->feedback_ns;
    if (answer->bytes != 0 && p->answers_count < FEEDBACK_WAITING) p->answers_count++;
}

/* Those that are due behind that packet, in the order of their numbers. */
static void arrive_due(passing *p, uint64_t number) {
    for (;;) {
        travelling *next = NULL;
        for (uint32_t i = 0; i < WAITING_MAX; i++) {
            travelling *t = &p->waiting[i];
            if (t->number == 0 || t->due > number) continue;
            if (next == NULL || t->due < next->due || (t->due == next->due && t->number < next->number)) next = t;
        }
        if (next == NULL) return;
        arrive(p, next);
        next->number = 0;
    }
}

static void wait_for(passing *p, const travelling *t, uint64_t due, bool repeated) {
    for (uint32_t i = 0; i < WAITING_MAX; i++) {
        if (p->waiting[i].number != 0) continue;
        p->waiting[i] = *t;
        p->waiting[i].due = due;
        p->waiting[i].repeated = repeated;
        return;
    }
}

static void hear(passing *p, uint64_t now_ns) {
    while (p->answers_count != 0 && p->answers[p->first_answer].at_ns <= now_ns) {
        const said *answer = &p->answers[p->first_answer];
        ox_rohc_feedback(p->e.sender, answer->elements, answer->bytes);
        p->first_answer = (p->first_answer + 1) % FEEDBACK_WAITING;
        p->answers_count--;
    }
}

/* Where the packets of a context are few the tunnel sends a count along. Returns what that takes. */
static uint32_t count(passing *p, travelling *t, uint16_t cid) {
    course *course = &p->courses[cid];
    course->count++;
    t->count = course->count;
    t->counted = !p->channel->unnumbered && (t->count == 1 || t->number - course->number > SPARSE);
    course->number = t->number;
    return t->counted ? COUNT_BYTES : 0;
}

static void send(passing *p, travelling *t) {
    const lab_rohc_channel *channel = p->channel;
    const uint64_t number = t->number;
    if (loses(p, number)) {
        p->tally->lost++;
    } else if (channel->late_places != 0 && lab_draw_chance(p->seed, number, DRAW_LATE, channel->late)) {
        wait_for(p, t, number + 1 + lab_draw(p->seed, number, DRAW_PLACES) % channel->late_places, false);
    } else {
        arrive(p, t);
        if (lab_draw_chance(p->seed, number, DRAW_TWICE, channel->duplicate))
            wait_for(p, t, number + lab_draw(p->seed, number, DRAW_TWICE_PLACES) % 4, true);
    }
    arrive_due(p, number);
}

bool lab_rohc_pass(const char *name, const lab_rohc_options *options, const lab_rohc_channel *channel, uint64_t packets,
                   uint64_t seed, lab_rohc_tally *tally) {
    static ox_rohc_compressed made;
    static travelling t;
    *tally = (lab_rohc_tally){.packets = packets};
    lab_rohc_flow *flow = lab_rohc_flow_create(name, seed);
    if (flow == NULL) return false;
    passing p = {.channel = channel, .tally = tally, .seed = lab_mix(seed + 77)};
    p.waiting = calloc(WAITING_MAX, sizeof *p.waiting);
    p.answers = calloc(FEEDBACK_WAITING, sizeof *p.answers);
    p.courses = calloc(CONTEXTS, sizeof *p.courses);
    bool fine = p.waiting != NULL && p.answers != NULL && p.courses != NULL ? ends_open(&p.e, options, true)
                                                                          : lab_fail("no memory for the channel");
    uint64_t out = 0;
    for (uint64_t i = 0; fine && i < packets; i++) {
        uint32_t header_bytes;
        t.bytes = lab_rohc_flow_next(flow, t.packet, &t.sent_ns, &header_bytes);
        hear(&p, t.sent_ns);
        const ox_rohc_outcome outcome = ox_rohc_compress(p.e.sender, t.packet, t.bytes, t.sent_ns, &made);
        t.raw = outcome == OX_ROHC_RAW;
        t.wire_bytes = ends_join(&made, outcome, t.packet, t.bytes, t.wire);
        t.number = i + 1;
        out += t.wire_bytes + header_bytes - t.bytes;
        if (!t.raw) out += count(&p, &t, made.cid);
        send(&p, &t);
    }
    if (fine) {
        arrive_due(&p, UINT64_MAX);
        tally->header_out = (double)out / (double)packets;
        ends_close(&p.e);
    }
    free(p.waiting);
    free(p.answers);
    free(p.courses);
    lab_rohc_flow_destroy(flow);
    return fine;
}
