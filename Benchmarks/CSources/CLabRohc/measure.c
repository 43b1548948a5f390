/* What compression costs, in bytes and in time. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "ends.h"
#include "lab/clock.h"
#include "lab/problem.h"

/* A batch, and the contexts of as many first packets, stay in the second-level cache: packets do so on their way through a tunnel. */
enum { ROUNDS = 160, BATCH = 128, SAID_MAX = 4096 };

_Static_assert((int)OX_ROHC_TYPE_COUNT <= (int)LAB_ROHC_TYPES_MAX, "each kind has its count");

typedef struct sample {
    uint8_t packet[LAB_ROHC_PACKET_MAX], wire[LAB_ROHC_PACKET_MAX + OX_ROHC_HEADER_MAX];
    uint32_t bytes, header_bytes, wire_bytes, made_bytes, consumed;
    uint64_t now_ns;
    ox_rohc_outcome outcome;
} sample;

static void take_feedback(ends *e) {
    uint8_t elements[OX_ROHC_FEEDBACK_MAX];
    const uint32_t bytes = ox_rohc_feedback_take(e->receiver, elements, sizeof elements);
    if (bytes != 0) ox_rohc_feedback(e->sender, elements, bytes);
}

/* ---- bytes ---------------------------------------------------------------------------------------------------- */

static void count_bytes(ends *e, lab_rohc_flow *flow, uint64_t packets, lab_rohc_cost *cost) {
    static sample s;
    static ox_rohc_compressed made;
    static ox_rohc_decompressed back;
    uint64_t in = 0, out = 0;
    uint32_t smallest = UINT32_MAX;
    for (uint64_t i = 0; i < packets; i++) {
        s.bytes = lab_rohc_flow_next(flow, s.packet, &s.now_ns, &s.header_bytes);
        const ox_rohc_outcome outcome = ox_rohc_compress(e->sender, s.packet, s.bytes, s.now_ns, &made);
        s.wire_bytes = ends_join(&made, outcome, s.packet, s.bytes, s.wire);
        in += s.header_bytes;
        const uint32_t header = s.wire_bytes + s.header_bytes - s.bytes;
        out += header;
        if (i < 64 && header < smallest) {
            smallest = header;
            cost->packets_to_smallest = (uint32_t)i + 1;
        }
        if (outcome == OX_ROHC_RAW) continue;
        const ox_rohc_arrival arrival = {.number = i + 1};
        if (ox_rohc_decompress(e->receiver, s.wire, s.wire_bytes, &arrival, &back) != OX_ROHC_PASS) cost->refused++;
        else if (!ends_equal(&back, s.packet, s.bytes)) cost->wrong++;
        take_feedback(e);
    }
    cost->packets = packets;
    cost->header_in = (double)in / (double)packets;
    cost->header_out = (double)out / (double)packets;
}

/* ---- time ----------------------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static lab_rohc_time time_of(double *values, size_t count) {
    qsort(values, count, sizeof *values, by_value);
    return (lab_rohc_time){.median_ns = values[count / 2], .best_ns = values[0]};
}

/* Compresses a batch; what it was, and the headers, are kept. Nanoseconds of one packet. */
static double compress_batch(ox_rohc_compressor *sender, sample *batch) {
    static ox_rohc_compressed made;
    const uint64_t start = lab_clock_thread_ns();
    for (uint32_t i = 0; i < BATCH; i++) {
        sample *s = &batch[i];
        s->outcome = ox_rohc_compress(sender, s->packet, s->bytes, s->now_ns, &made);
        s->made_bytes = made.header_bytes;
        s->consumed = made.consumed;
        memcpy(s->wire, made.header, made.header_bytes);
    }
    const double each = (double)(lab_clock_thread_ns() - start) / (double)BATCH;
    for (uint32_t i = 0; i < BATCH; i++) {
        sample *s = &batch[i];
        s->wire_bytes = s->made_bytes + s->bytes - s->consumed;
        memcpy(s->wire + s->made_bytes, s->packet + s->consumed, s->bytes - s->consumed);
    }
    return each;
}

/* Decompresses it, the first one being packet `number` of the channel, and fetches the feedback of each packet. */
static double decompress_batch(const ends *e, const sample *batch, uint64_t number, lab_rohc_cost *cost) {
    static ox_rohc_decompressed back;
    uint8_t said[SAID_MAX];
    uint32_t said_bytes = 0;
    const uint64_t start = lab_clock_thread_ns();
    for (uint32_t i = 0; i < BATCH; i++) {
        const sample *s = &batch[i];
        const ox_rohc_arrival arrival = {.number = number + i};
        if (s->outcome != OX_ROHC_COMPRESSED) continue;
        if (ox_rohc_decompress(e->receiver, s->wire, s->wire_bytes, &arrival, &back) != OX_ROHC_PASS) cost->refused++;
        if (said_bytes + OX_ROHC_FEEDBACK_MAX <= SAID_MAX)
            said_bytes += ox_rohc_feedback_take(e->receiver, said + said_bytes, OX_ROHC_FEEDBACK_MAX);
    }
    const double each = (double)(lab_clock_thread_ns() - start) / (double)BATCH;
    if (said_bytes != 0) ox_rohc_feedback(e->sender, said, said_bytes);
    return each;
}

/* Both ends go on from where counting left them; each round is a batch of new packets. */
static bool time_packets(ends *e, lab_rohc_flow *flow, uint64_t number, lab_rohc_cost *cost) {
    sample *batch = malloc(BATCH * sizeof *batch);
    if (batch == NULL) return lab_fail("no memory for %d packets", BATCH);
    double compress[ROUNDS], decompress[ROUNDS];
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < BATCH; i++)
            batch[i].bytes = lab_rohc_flow_next(flow, batch[i].packet, &batch[i].now_ns, &batch[i].header_bytes);
        compress[round] = compress_batch(e->sender, batch);
        decompress[round] = decompress_batch(e, batch, number + round * BATCH + 1, cost);
    }
    free(batch);
    cost->compress = time_of(compress, ROUNDS);
    cost->decompress = time_of(decompress, ROUNDS);
    return true;
}

/* The first packet of a flow, over and over, in contexts whose memory was used before, but is zeros again. */
static bool time_first(const char *name, const lab_rohc_options *options, uint64_t seed, lab_rohc_cost *cost) {
    lab_rohc_options room = *options;
    room.large_cids = true;
    room.cid_max = BATCH - 1;
    const ox_rohc_parameters parameters = ends_parameters(&room, false);
    const size_t sender_bytes = ox_rohc_compressor_bytes(&parameters), receiver_bytes = ox_rohc_decompressor_bytes(&parameters);
    sample *firsts = malloc(BATCH * sizeof *firsts);
    void *sender = malloc(sender_bytes), *receiver = malloc(receiver_bytes);
    double compress[ROUNDS], decompress[ROUNDS];
    const bool fine = firsts != NULL && sender != NULL && receiver != NULL;
    for (uint32_t i = 0; fine && i < BATCH; i++) {
        lab_rohc_flow *flow = lab_rohc_flow_create(name, seed * 1000 + i);
        if (flow == NULL) break;
        firsts[i].bytes = lab_rohc_flow_next(flow, firsts[i].packet, &firsts[i].now_ns, &firsts[i].header_bytes);
        lab_rohc_flow_destroy(flow);
    }
    for (uint32_t round = 0; fine && round < ROUNDS; round++) {
        memset(sender, 0, sender_bytes);
        memset(receiver, 0, receiver_bytes);
        const ends e = {
            .sender = ox_rohc_compressor_init(sender, &parameters),
            .receiver = ox_rohc_decompressor_init(receiver, &parameters),
        };
        compress[round] = compress_batch(e.sender, firsts);
        decompress[round] = decompress_batch(&e, firsts, 1, cost);
    }
    free(firsts);
    free(sender);
    free(receiver);
    if (!fine) return lab_fail("no memory for %d flows", BATCH);
    cost->first_compress = time_of(compress, ROUNDS);
    cost->first_decompress = time_of(decompress, ROUNDS);
    return true;
}

/* ---- memory --------------------------------------------------------------------------------------------------- */

static size_t taken(void) {
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void count_memory(const lab_rohc_options *options, lab_rohc_cost *cost) {
    enum { FEW = 15, MANY = 4095 };
    size_t before[2][3];
    for (uint32_t many = 0; many < 2; many++) {
        lab_rohc_options room = *options;
        room.large_cids = true;
        room.cid_max = many ? MANY : FEW;
        const ox_rohc_parameters parameters = ends_parameters(&room, true);
        before[many][0] = taken();
        ox_rohc_compressor *sender = ox_rohc_compressor_create(&parameters);
        before[many][1] = taken();
        ox_rohc_decompressor *receiver = ox_rohc_decompressor_create(&parameters);
        before[many][2] = taken();
        ox_rohc_compressor_destroy(sender);
        ox_rohc_decompressor_destroy(receiver);
    }
    cost->context_bytes_sender =
        (double)(before[1][1] - before[1][0] - (before[0][1] - before[0][0])) / (MANY - FEW);
    cost->context_bytes_receiver =
        (double)(before[1][2] - before[1][1] - (before[0][2] - before[0][1])) / (MANY - FEW);
}

bool lab_rohc_measure(const char *name, const lab_rohc_options *options, uint64_t packets, uint64_t seed, lab_rohc_cost *cost) {
    *cost = (lab_rohc_cost){0};
    ends e;
    lab_rohc_flow *flow = lab_rohc_flow_create(name, seed);
    if (flow == NULL) return false;
    if (!ends_open(&e, options, true)) {
        lab_rohc_flow_destroy(flow);
        return false;
    }
    count_bytes(&e, flow, packets, cost);
    const bool fine = time_packets(&e, flow, packets, cost) && time_first(name, options, seed, cost);
    lab_rohc_flow_destroy(flow);
    ends_close(&e);
    count_memory(options, cost);
    return fine;
}

/* ---- kinds of packets ----------------------------------------------------------------------------------------- */

bool lab_rohc_types(const char *name, const lab_rohc_options *options, uint64_t packets, uint64_t seed, bool lossy,
                    uint64_t types[LAB_ROHC_TYPES_MAX]) {
    static sample s;
    static ox_rohc_compressed made;
    static ox_rohc_decompressed back;
    static ox_rohc_compressor_report report;
    ends e;
    lab_rohc_flow *flow = lab_rohc_flow_create(name, seed);
    if (flow == NULL) return false;
    if (!ends_open(&e, options, seed % 2 == 0)) {
        lab_rohc_flow_destroy(flow);
        return false;
    }
    bool fine = true;
    for (uint64_t i = 0; i < packets && fine; i++) {
        s.bytes = lab_rohc_flow_next(flow, s.packet, &s.now_ns, &s.header_bytes);
        s.outcome = ox_rohc_compress(e.sender, s.packet, s.bytes, s.now_ns, &made);
        if (s.outcome == OX_ROHC_RAW || (lossy && i % 37 == 36)) continue;
        s.wire_bytes = ends_join(&made, s.outcome, s.packet, s.bytes, s.wire);
        const ox_rohc_arrival arrival = {.number = i + 1, .lost = lossy ? i / 37 : 0};
        const ox_rohc_verdict verdict = ox_rohc_decompress(e.receiver, s.wire, s.wire_bytes, &arrival, &back);
        if (verdict == OX_ROHC_PASS ? !ends_equal(&back, s.packet, s.bytes) : !lossy)
            fine = lab_fail("packet %llu of %s did not come out as it was (%s, %s)", (unsigned long long)i, name,
                            ox_rohc_type_name(made.type), ox_rohc_verdict_name(verdict));
        take_feedback(&e);
    }
    ox_rohc_compressor_status(e.sender, &report);
    for (uint32_t i = 0; i < OX_ROHC_TYPE_COUNT; i++) types[i] += report.types[i];
    lab_rohc_flow_destroy(flow);
    ends_close(&e);
    return fine;
}
