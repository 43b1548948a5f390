/* How the fields of a flow change, as far as that tells what to send. */
#include "v2.h"

/* ---- IP-ID ---------------------------------------------------------------------------------------------------- */

enum {
    STEP_MOST = 16, /* an IP-ID that goes on by so much is a counter */
    RUN = 8,        /* packets of another behavior in a row that show that it is another */
    MISS = RUN,     /* two misses within so many packets, and it is none any more */
};

static uint8_t behavior_between(uint16_t last, uint16_t id) {
    if (last == 0 && id == 0) return V2_ID_ZERO;
    const uint16_t step = (uint16_t)(id - last), swapped = (uint16_t)(rohc_swap16(id) - rohc_swap16(last));
    if (step >= 1 && step <= STEP_MOST) return V2_ID_SEQUENTIAL;
    return swapped >= 1 && swapped <= STEP_MOST ? V2_ID_SWAPPED : V2_ID_RANDOM;
}

uint8_t v2_first_behavior(const rohc_packet *packet) {
    const rohc_ip *ip = rohc_inner(packet);
    if (ip->version != 4) return V2_ID_RANDOM;
    const uint16_t id = ox_load_be16(ip->bytes + 4);
    if (packet->known_ids) return behavior_between(packet->before_ids[packet->ips - 1], id);
    return id == 0 ? V2_ID_ZERO : V2_ID_SEQUENTIAL;
}

void v2_follow_id(v2_flow *flow, v2_dynamic *now) {
    if (!flow->started) {
        now->inner.behavior = flow->last.inner.behavior;
        return;
    }
    const uint8_t seen = behavior_between(flow->last.id, now->id);
    flow->run = seen == flow->run_behavior ? (uint8_t)(flow->run < UINT8_MAX ? flow->run + 1 : UINT8_MAX) : 1;
    flow->run_behavior = seen;
    now->inner.behavior = flow->last.inner.behavior;
    if (seen == now->inner.behavior) {
        flow->behaved = true;
        if (flow->misses != 0) flow->misses--;
        return;
    }
    // The first packet's behavior was a guess, and an IP-ID that is not zero cannot be left out.
    const bool at_once = !flow->behaved || (now->inner.behavior == V2_ID_ZERO && now->id != 0);
    if (at_once || (flow->run >= RUN && seen != V2_ID_RANDOM)) {
        now->inner.behavior = seen;
    } else if (v2_sequential(now->inner.behavior)) {
        flow->misses = (uint8_t)(flow->misses + MISS);
        if (flow->misses > MISS) now->inner.behavior = V2_ID_RANDOM;
    }
    if (now->inner.behavior == flow->last.inner.behavior) return;
    flow->misses = 0;
    flow->behaved = true;
}

/* ---- timestamp ------------------------------------------------------------------------------------------------ */

void v2_follow_stride(v2_flow *flow, v2_dynamic *now) {
    const int32_t packets = (int16_t)(uint16_t)(now->sn - flow->last.sn), passed = (int32_t)(now->ts - flow->last.ts);
    now->ts_stride = flow->last.ts_stride;
    if (!flow->started) return;
    if (packets <= 0 || passed <= 0 || (packets != 1 && passed % packets != 0)) return;
    const uint32_t stride = (uint32_t)(packets == 1 ? passed : passed / packets);
    flow->strides = stride == flow->stride ? (uint8_t)(flow->strides < UINT8_MAX ? flow->strides + 1 : UINT8_MAX) : 1;
    flow->stride = stride;
    // A silence is a multiple of the stride, and happens once.
    if (flow->strides >= 3 || (flow->strides == 2 && stride % now->ts_stride != 0) || flow->left[V2_NEWS_IR] != 0)
        now->ts_stride = stride;
}

/* ---- distances ------------------------------------------------------------------------------------------------ */

static void widen(rohc_spread *spread, int32_t distance) {
    if (distance < spread->least) spread->least = distance;
    if (distance > spread->most) spread->most = distance;
}

/* A talk spurt is the one thing that changes often; so it is said some packets longer than what hardly ever does. */
enum { TS_LONGER = 3 };

static uint16_t offset_of(uint8_t behavior, uint16_t id, uint32_t sn) {
    return (uint16_t)(v2_id_counted(behavior, id) - sn);
}

static const v2_reference *reference_at(const v2_flow *flow, uint32_t index) {
    return &flow->references[(flow->reference_next + V2_REFERENCES - flow->references_count + index) % V2_REFERENCES];
}

bool v2_is_regular(const v2_sending *sending) {
    const v2_dynamic *now = &sending->now, *last = &sending->flow->last;
    const uint8_t behavior = now->inner.behavior;
    const uint32_t mask = v2_sn_width(sending->profile) == 32 ? UINT32_MAX : UINT16_MAX;
    if (((last->sn + 1) & mask) != now->sn || behavior != last->inner.behavior || now->ts_stride != last->ts_stride) return false;
    if (sending->profile == V2_PROFILE_RTP && now->ts - last->ts != now->ts_stride) return false;
    return !v2_sequential(behavior) || offset_of(behavior, now->id, now->sn) == offset_of(behavior, last->id, last->sn);
}

/** Whether the flow has numbered its packets one by one since the oldest reference, this one included. */
static bool counts(const v2_sending *sending) {
    const v2_flow *flow = sending->flow;
    uint32_t expected = sending->now.sn;
    const uint32_t mask = v2_sn_width(sending->profile) == 32 ? UINT32_MAX : UINT16_MAX;
    for (uint32_t i = flow->references_count; i-- != 0;)
        if ((--expected & mask) != reference_at(flow, i)->sn) return false;
    return true;
}

static void measure_ts(v2_sending *sending, const v2_reference *reference, int32_t ahead) {
    const uint32_t stride = sending->now.ts_stride == 0 ? 1 : sending->now.ts_stride, ts = sending->now.ts;
    const uint32_t passed = ts - reference->ts;
    widen(&sending->ts, (int32_t)passed);
    widen(&sending->ts_scaled, (int32_t)(ts / stride - reference->ts / stride));
    if (passed != (uint32_t)ahead * sending->now.ts_stride) sending->ts_inferred = false;
    if (reference->ts % stride != ts % stride) sending->ts_scalable = false;
}

/**
 * The next reference that is looked at, counted from the last packet, which is 1. In a row of regular packets all distances grow
 * evenly: its ends tell them, and the places from which on more of them count.
 */
static uint32_t nearer(const v2_flow *flow, uint32_t back, uint32_t row) {
    const uint32_t ts_reach = (uint32_t)flow->width + TS_LONGER;
    if (back > row) return back - 1;
    if (back > ts_reach) return ts_reach;
    if (back > flow->width) return flow->width;
    return back > 1;
}

void v2_measure(v2_sending *sending) {
    const v2_flow *flow = sending->flow;
    const v2_dynamic *now = &sending->now;
    const bool wide = v2_sn_width(sending->profile) == 32, rtp = sending->profile == V2_PROFILE_RTP;
    const uint32_t count = flow->references_count;
    sending->id_inferred = sending->ts_inferred = true;
    sending->strong = false;
    if (sending->regular && flow->regular + 1u >= count && !sending->news && !sending->marker) {
        sending->sn = (rohc_spread){.least = 1, .most = (int32_t)(count < flow->width ? count : flow->width)};
        sending->id_offset = (rohc_spread){0, 0};
        return;
    }
    const uint8_t behavior = now->inner.behavior;
    const uint16_t offset = offset_of(behavior, now->id, now->sn);
    // What no checksum covers is said so long that a gap that swallows all of it is seen as one.
    const bool bare = wide || (rtp && !now->checksum_used), uncounted = bare && !counts(sending);
    sending->sn = sending->id_offset = sending->ts = sending->ts_scaled = (rohc_spread){.least = INT32_MAX, .most = INT32_MIN};
    sending->ts_scalable = now->ts_stride != 0;
    sending->strong = uncounted;
    const bool even = rtp && sending->regular && now->ts / V2_REFERENCES >= now->ts_stride;
    const uint32_t row = even ? flow->regular + 1u : 0;
    for (uint32_t back = count; back != 0; back = nearer(flow, back, row)) {
        const v2_reference *reference = reference_at(flow, count - back);
        const uint32_t distance = now->sn - reference->sn;
        const int32_t ahead = wide ? (int32_t)distance : (int16_t)(uint16_t)distance;
        const bool recent = back <= flow->width;
        widen(&sending->id_offset, (int16_t)(uint16_t)(offset - offset_of(behavior, reference->id, reference->sn)));
        if (recent || uncounted) widen(&sending->sn, ahead);
        if (rtp && (bare || back <= (uint32_t)flow->width + TS_LONGER)) measure_ts(sending, reference, ahead);
    }
    sending->id_inferred = !v2_sequential(behavior) || (sending->id_offset.least == 0 && sending->id_offset.most == 0);
}
