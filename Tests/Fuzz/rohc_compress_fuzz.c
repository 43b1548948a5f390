/*
 * Packets of a few flows, whose fields are changed at will, through a compressor, a channel that loses, delays and repeats, and a
 * decompressor with feedback. The first two octets of the input choose the parameters; then come steps: which flow and what to do,
 * and where in the header, with what.
 *
 * Whatever happens, what is handed out is the packet that was compressed, octet for octet; without loss all are handed out; a header
 * grows by no more than CIDs and an IR's few octets.
 */
#include "oxcore/packet.h"
#include "oxcore/rohc.h"

#include <stdlib.h>

enum { FLOWS = 6, PACKET = 160, IN_FLIGHT = 8, GROWTH_MOST = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition) {
    if (!condition) abort();
}

typedef struct sent {
    uint8_t original[PACKET], wire[PACKET + OX_ROHC_HEADER_MAX];
    uint32_t original_bytes, wire_bytes;
    uint64_t number;
} sent;

typedef struct world {
    ox_rohc_compressor *compressor;
    ox_rohc_decompressor *decompressor;
    uint8_t packets[FLOWS][PACKET];
    uint32_t bytes[FLOWS];
    sent late[IN_FLIGHT];
    bool waits[IN_FLIGHT];
    uint64_t number, newest, lost, now_ns;
    bool disturbed; /* something was lost or came late */
} world;

static void complete(uint8_t *packet, uint32_t bytes) {
    if (packet[0] >> 4 == 4) {
        ox_store_be16(packet + 2, (uint16_t)bytes);
        ox_store_be16(packet + 10, 0);
        ox_store_be16(packet + 10, ox_checksum_finish(ox_checksum_add(packet, 20, 0)));
    } else {
        ox_store_be16(packet + 4, (uint16_t)(bytes - 40));
    }
}

static void start_flow(world *w, uint32_t f) {
    static const uint8_t protocols[FLOWS] = {17, 17, 6, 50, 1, 17};
    uint8_t *packet = w->packets[f];
    const bool v4 = f != 1;
    const uint32_t ip = v4 ? 20 : 40;
    memset(packet, 0, PACKET);
    if (v4) {
        packet[0] = 0x45;
        packet[8] = 64;
        packet[9] = protocols[f];
        memset(packet + 12, (int)(10 + f), 8);
    } else {
        packet[0] = 0x60;
        packet[6] = protocols[f];
        packet[7] = 64;
        memset(packet + 8, 0x20, 32);
    }
    w->bytes[f] = ip + 60;
    uint8_t *transport = packet + ip;
    ox_store_be16(transport, (uint16_t)(1000 + f));
    ox_store_be16(transport + 2, 5004);
    if (protocols[f] == 17) ox_store_be16(transport + 4, 60);
    if (protocols[f] == 6) transport[12] = 0x50;
    if (f == 5) {
        transport[8] = 0x80;
        ox_store_be32(transport + 16, 0x12345678);
    }
    complete(packet, w->bytes[f]);
}

static void arrive(world *w, const sent *s) {
    static ox_rohc_decompressed out;
    if (s->number > w->newest) {
        w->lost += s->number - w->newest - 1;
        w->newest = s->number;
    }
    const ox_rohc_arrival arrival = {.number = s->number, .lost = w->lost};
    const ox_rohc_verdict verdict = ox_rohc_decompress(w->decompressor, s->wire, s->wire_bytes, &arrival, &out);
    uint8_t elements[OX_ROHC_FEEDBACK_MAX];
    ox_rohc_feedback(w->compressor, elements, ox_rohc_feedback_take(w->decompressor, elements, sizeof elements));
    if (verdict != OX_ROHC_PASS) {
        check(w->disturbed);
        return;
    }
    check(out.header_bytes + out.payload_bytes == s->original_bytes);
    check(memcmp(out.header, s->original, out.header_bytes) == 0);
    check(memcmp(out.payload, s->original + out.header_bytes, out.payload_bytes) == 0);
}

/* What waited comes in, the last one first. */
static void release(world *w) {
    for (uint32_t i = IN_FLIGHT; i-- > 0;) {
        if (w->waits[i]) arrive(w, &w->late[i]);
        w->waits[i] = false;
    }
}

static void send(world *w, uint32_t f, uint8_t fate) {
    static ox_rohc_compressed out;
    static sent s;
    w->now_ns += 20000000;
    memcpy(s.original, w->packets[f], w->bytes[f]);
    s.original_bytes = w->bytes[f];
    if (ox_rohc_compress(w->compressor, s.original, s.original_bytes, w->now_ns, &out) == OX_ROHC_RAW) return;
    s.number = ++w->number;
    check(out.consumed <= s.original_bytes && out.header_bytes <= out.consumed + GROWTH_MOST);
    memcpy(s.wire, out.header, out.header_bytes);
    memcpy(s.wire + out.header_bytes, s.original + out.consumed, s.original_bytes - out.consumed);
    s.wire_bytes = out.header_bytes + s.original_bytes - out.consumed;
    if (fate < 240) {
        arrive(w, &s);
        return;
    }
    w->disturbed = true;
    if (fate < 248) return;
    w->late[fate % IN_FLIGHT] = s;
    w->waits[fate % IN_FLIGHT] = true;
}

/* The fields that count on in a flow. */
static void count_on(world *w, uint32_t f, uint8_t by) {
    uint8_t *packet = w->packets[f];
    if (packet[0] >> 4 == 4) ox_store_be16(packet + 4, (uint16_t)(ox_load_be16(packet + 4) + by));
    uint8_t *transport = packet + (packet[0] >> 4 == 4 ? 20 : 40);
    switch (f) {
    case 2: ox_store_be32(transport + 4, ox_load_be32(transport + 4) + 40u * by); break;
    case 3: ox_store_be32(transport + 4, ox_load_be32(transport + 4) + by); break;
    case 5:
        ox_store_be16(transport + 10, (uint16_t)(ox_load_be16(transport + 10) + by));
        ox_store_be32(transport + 12, ox_load_be32(transport + 12) + 160u * by);
        break;
    default: break;
    }
    complete(packet, w->bytes[f]);
}

static void step(world *w, const uint8_t what[4]) {
    const uint32_t f = what[0] % FLOWS;
    uint8_t *packet = w->packets[f];
    switch (what[0] / FLOWS % 6) {
    case 0: /* as flows do */
        for (uint32_t i = 0; i < what[1] % 16u; i++) {
            count_on(w, f, 1);
            send(w, f, i == 0 ? what[2] : 0);
        }
        break;
    case 1: /* one octet of the headers, whatever it means */
        packet[1 + what[1] % 79] ^= what[2];
        packet[0] = f == 1 ? (uint8_t)(0x60 | (packet[0] & 0x0F)) : 0x45;
        complete(packet, w->bytes[f]);
        send(w, f, what[3]);
        break;
    case 2: /* a jump */
        count_on(w, f, what[1]);
        send(w, f, what[2]);
        break;
    case 3: /* another length; UDP's agrees again */
        w->bytes[f] = (f == 1 ? 40u : 20u) + 28u + what[1] % 80u;
        if (f == 0 || f == 1 || f == 5) ox_store_be16(packet + (f == 1 ? 44 : 24), (uint16_t)(w->bytes[f] - (f == 1 ? 40 : 20)));
        complete(packet, w->bytes[f]);
        send(w, f, what[2]);
        break;
    case 4: release(w); break;
    default: start_flow(w, f); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    const uint8_t how = data[0];
    const ox_rohc_parameters parameters = {
        .profiles = how & 1 ? OX_ROHC_V2 : OX_ROHC_V1,
        .large_cids = (how & 2) != 0,
        .cid_max = how & 4 ? 1 : 9,
        .bidirectional = (how & 8) != 0,
        .raw = (how & 16) != 0,
        .reorder_ratio = how >> 6,
        .repetitions = (uint8_t)(data[1] % 9),
    };
    static world w;
    memset(&w, 0, sizeof w);
    w.compressor = ox_rohc_compressor_create(&parameters);
    w.decompressor = ox_rohc_decompressor_create(&parameters);
    check(w.compressor != NULL && w.decompressor != NULL);
    for (uint32_t f = 0; f < FLOWS; f++) start_flow(&w, f);
    for (size_t at = 2; at + 4 <= size; at += 4) step(&w, data + at);
    release(&w);
    ox_rohc_compressor_destroy(w.compressor);
    ox_rohc_decompressor_destroy(w.decompressor);
    return 0;
}
