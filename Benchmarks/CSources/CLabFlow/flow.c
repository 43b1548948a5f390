#include "lab/flow.h"

#include <stdlib.h>
#include <string.h>

#include "lab/problem.h"
#include "lab/random.h"

enum {
    MAGIC = 0x4f78466c,
    PICOSECONDS = 1000,
    RTP_VERSION = 0x80, /* 2; no padding, no extension, no contributing sources */
    RTP_MARKER = 0x80,
    RTP_PCMA = 8,
    RTP_TICKS = 160, /* 20 ms of 8 kHz */
};

uint64_t lab_flow_due_ns(const lab_flow_plan *plan, uint64_t index) {
    const uint64_t burst_start = index - index % plan->burst;
    return (uint64_t)((unsigned __int128)burst_start * plan->interval_ps / PICOSECONDS);
}

uint32_t lab_flow_size(const lab_flow_plan *plan, uint64_t index) {
    const uint32_t sizes = plan->size_max - plan->size_min + 1;
    return plan->size_min + (uint32_t)((lab_draw(plan->seed, index, 0) >> 32) * sizes >> 32);
}

static void store(uint8_t *to, uint64_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; i--, value >>= 8) to[i] = (uint8_t)value;
}

static uint64_t load(const uint8_t *from, int bytes) {
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) value = value << 8 | from[i];
    return value;
}

void lab_flow_encode(uint8_t datagram[LAB_FLOW_HEADER], const lab_flow_header *header) {
    store(datagram, MAGIC, 4);
    store(datagram + 4, (uint64_t)header->kind << 24, 4);
    store(datagram + 8, header->flow, 8);
    store(datagram + 16, header->sequence, 8);
    store(datagram + 24, header->sent_ns, 8);
}

//= RFC 3550 section 5.1
//# version, marker, payload type, sequence number, timestamp, SSRC
void lab_flow_encode_rtp(uint8_t datagram[LAB_FLOW_RTP], uint64_t flow, uint64_t index) {
    datagram[0] = RTP_VERSION;
    datagram[1] = RTP_PCMA | (index == 0 ? RTP_MARKER : 0);
    store(datagram + 2, (flow >> 48) + index, 2);
    store(datagram + 4, (flow >> 32) + RTP_TICKS * index, 4);
    store(datagram + 8, flow, 4);
}

bool lab_flow_decode(const uint8_t *datagram, size_t bytes, lab_flow_header *header) {
    if (bytes >= LAB_FLOW_RTP && datagram[0] == RTP_VERSION) {
        datagram += LAB_FLOW_RTP;
        bytes -= LAB_FLOW_RTP;
    }
    if (bytes < LAB_FLOW_HEADER || load(datagram, 4) != MAGIC) return false;
    const uint64_t kind = load(datagram + 4, 4) >> 24;
    if (kind != LAB_FLOW_DATA && kind != LAB_FLOW_END) return false;
    *header = (lab_flow_header){
        .kind = (lab_flow_kind)kind,
        .flow = load(datagram + 8, 8),
        .sequence = load(datagram + 16, 8),
        .sent_ns = load(datagram + 24, 8),
    };
    return true;
}

static bool reserve(lab_flow_tally *tally, uint64_t sequence) {
    const size_t needed = (size_t)(sequence / 8 + 1);
    if (needed <= tally->seen_bytes) return true;
    size_t larger = tally->seen_bytes == 0 ? 4096 : tally->seen_bytes;
    while (larger < needed) larger *= 2;
    uint8_t *seen = realloc(tally->seen, larger);
    if (seen == NULL) return lab_fail("no memory to tell %zu datagrams apart", larger * 8);
    memset(seen + tally->seen_bytes, 0, larger - tally->seen_bytes);
    tally->seen = seen;
    tally->seen_bytes = larger;
    return true;
}

bool lab_flow_tally_has(const lab_flow_tally *tally, uint64_t sequence) {
    const size_t at = (size_t)(sequence / 8);
    return at < tally->seen_bytes && (tally->seen[at] >> (sequence % 8) & 1) != 0;
}

static void note_delay(lab_flow_tally *tally, uint64_t sent_ns, uint64_t arrival_ns) {
    const int64_t transit_ns = (int64_t)(arrival_ns - sent_ns);
    /* The kernel's receive time is of another clock, placed on ours to within a fraction of a microsecond. */
    lab_histogram_record(&tally->delay, transit_ns > 0 ? (uint64_t)transit_ns : 0);
    if (tally->received > 1) {
        const double change = (double)llabs(transit_ns - tally->last_transit_ns);
        tally->jitter_ns += (change - tally->jitter_ns) / 16;
    }
    tally->last_transit_ns = transit_ns;
}

static bool add_data(lab_flow_tally *tally, const lab_flow_header *header, size_t bytes, uint64_t arrival_ns) {
    if (header->sequence >= LAB_FLOW_SEQUENCES_MAX) {
        return lab_fail("the flow has more than %d datagrams: make it shorter", LAB_FLOW_SEQUENCES_MAX);
    }
    if (lab_flow_tally_has(tally, header->sequence)) {
        tally->duplicates += 1;
        return true;
    }
    if (!reserve(tally, header->sequence)) return false;
    tally->seen[header->sequence / 8] |= (uint8_t)(1u << (header->sequence % 8));
    if (tally->received == 0) {
        tally->first_arrival_ns = arrival_ns;
        tally->first_bytes = bytes;
    }
    tally->last_arrival_ns = arrival_ns;
    tally->received += 1;
    tally->received_bytes += bytes;
    if (header->sequence < tally->next_sequence) {
        tally->reordered += 1;
    } else {
        tally->next_sequence = header->sequence + 1;
    }
    note_delay(tally, header->sent_ns, arrival_ns);
    return true;
}

bool lab_flow_tally_add(lab_flow_tally *tally, const lab_flow_header *header, size_t bytes, uint64_t arrival_ns) {
    if (!tally->started) {
        tally->started = true;
        tally->flow = header->flow;
    }
    if (header->flow != tally->flow) {
        tally->foreign += 1;
        return true;
    }
    if (header->kind == LAB_FLOW_DATA) return add_data(tally, header, bytes, arrival_ns);
    tally->ended = true;
    tally->ends += 1;
    tally->sent = header->sequence;
    return true;
}

lab_flow_summary lab_flow_tally_summary(const lab_flow_tally *tally) {
    const uint64_t elapsed_ns = tally->last_arrival_ns - tally->first_arrival_ns;
    const double later_bits = 8 * (double)(tally->received_bytes - tally->first_bytes);
    return (lab_flow_summary){
        .started = tally->started,
        .ended = tally->ended,
        .ends = tally->ends,
        .sent = tally->sent,
        .received = tally->received,
        .received_bytes = tally->received_bytes,
        .lost = tally->sent > tally->received ? tally->sent - tally->received : 0,
        .duplicates = tally->duplicates,
        .reordered = tally->reordered,
        .foreign = tally->foreign,
        .delay_min_ns = tally->delay.min,
        .delay_p50_ns = lab_histogram_quantile(&tally->delay, 0.50),
        .delay_p90_ns = lab_histogram_quantile(&tally->delay, 0.90),
        .delay_p99_ns = lab_histogram_quantile(&tally->delay, 0.99),
        .delay_max_ns = tally->delay.max,
        .jitter_ns = tally->jitter_ns,
        .elapsed_ns = elapsed_ns,
        .payload_bits_per_s = elapsed_ns > 0 ? later_bits * 1e9 / (double)elapsed_ns : 0,
    };
}

void lab_flow_tally_free(lab_flow_tally *tally) {
    free(tally->seen);
    *tally = (lab_flow_tally){0};
}
