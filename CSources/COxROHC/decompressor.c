#include "decompressor.h"

#include <stdlib.h>

/* The decompressor, its contexts, then room for a packet that comes in segments. */
size_t ox_rohc_decompressor_bytes(const ox_rohc_parameters *parameters) {
    return sizeof(ox_rohc_decompressor) + (parameters->cid_max + 1u) * sizeof(rohc_context) + parameters->mrru;
}

ox_rohc_decompressor *ox_rohc_decompressor_init(void *memory, const ox_rohc_parameters *parameters) {
    rohc_parameters_check(parameters);
    ox_rohc_decompressor *decompressor = memory;
    decompressor->parameters = *parameters;
    decompressor->parameters.profiles |= OX_ROHC_UNCOMPRESSED;
    if (parameters->repetitions == 0) decompressor->parameters.repetitions = ROHC_REPETITIONS;
    decompressor->contexts_count = parameters->cid_max + 1u;
    decompressor->contexts = (rohc_context *)(decompressor + 1);
    if (parameters->mrru != 0) decompressor->segments = (uint8_t *)(decompressor->contexts + decompressor->contexts_count);
    return decompressor;
}

ox_rohc_decompressor *ox_rohc_decompressor_create(const ox_rohc_parameters *parameters) {
    rohc_parameters_check(parameters);
    void *memory = calloc(1, ox_rohc_decompressor_bytes(parameters));
    return memory != NULL ? ox_rohc_decompressor_init(memory, parameters) : NULL;
}

void ox_rohc_decompressor_destroy(ox_rohc_decompressor *decompressor) { free(decompressor); }

/* ---- states and their stamps ---------------------------------------------------------------------------------- */

static uint32_t saves_of(const rohc_profile *profile) {
    if (profile->dynamic_bytes == 0) return 0;
    uint32_t saves = 0, used = (uint32_t)profile->fixed_bytes + profile->dynamic_bytes;
    OX_ASSERT(used <= ROHC_CONTEXT_STATE_BYTES);
    while (saves < CONTEXT_STAMPS && (used += profile->dynamic_bytes) <= ROHC_CONTEXT_STATE_BYTES) saves++;
    return saves;
}

static uint8_t *dynamic_at(rohc_context *context, uint32_t place) {
    return context->state + context->profile->fixed_bytes + place * (uint32_t)context->profile->dynamic_bytes;
}

static uint32_t fixed_extent(const rohc_profile *profile, const void *fixed) {
    return profile->fixed_extent == NULL ? profile->fixed_bytes : profile->fixed_extent(fixed);
}

/* The state before a packet with that number, into the copies. False when it is older than all states. */
static bool load(ox_rohc_decompressor *decompressor, rohc_context *context, uint64_t number, stamp *from) {
    const rohc_profile *profile = context->profile;
    uint32_t place = 0;
    *from = context->newest;
    if (profile->dynamic_bytes == 0) return number == 0 || number >= context->stamps[0].number;
    if (number != 0 && number < context->newest.number) {
        *from = (stamp){0};
        for (uint32_t i = 0; i < context->saved; i++) {
            const uint64_t saved = context->stamps[i].number;
            if (saved >= number || number - saved >= context->stamps[i].reach) continue;
            *from = context->stamps[i];
            place = i + 1;
        }
        if (place == 0) return false;
    }
    memcpy(decompressor->fixed, context->state, fixed_extent(profile, context->state));
    memcpy(decompressor->dynamic, dynamic_at(context, place), profile->dynamic_bytes);
    return true;
}

static void commit(ox_rohc_decompressor *decompressor, rohc_context *context, const rohc_profile *profile,
                   const rohc_decompression *work, stamp now, uint32_t missing) {
    const bool same = context->profile == profile;
    /* An earlier state is of use only to what may still come between: so each that is kept has a loss behind it. */
    const bool open = now.number > context->newest.number + 1 && missing != context->newest.missing;
    if (!same) context->saves = (uint8_t)saves_of(profile);
    const uint32_t saves = context->saves;
    const uint32_t extent = fixed_extent(profile, decompressor->fixed);
    context->profile = profile;
    if (!same || (work->fixed_written && memcmp(context->state, decompressor->fixed, extent) != 0)) {
        memcpy(context->state, decompressor->fixed, extent);
        context->saved = context->next_saved = 0;
        /* Where there are no dynamics to save, the first stamp says since when the context is what it is. */
        if (saves == 0) context->stamps[0] = now;
    } else if (saves != 0 && context->newest.number != 0 && open) {
        memcpy(dynamic_at(context, context->next_saved + 1u), dynamic_at(context, 0), profile->dynamic_bytes);
        const uint64_t reach = now.number - context->newest.number;
        context->newest.reach = reach < UINT16_MAX ? (uint16_t)reach : UINT16_MAX;
        context->stamps[context->next_saved] = context->newest;
        if (context->saved < saves) context->saved++;
        context->next_saved = context->next_saved + 1u == saves ? 0 : (uint8_t)(context->next_saved + 1u);
    }
    memcpy(dynamic_at(context, 0), decompressor->dynamic, profile->dynamic_bytes);
    context->newest = now;
}

bool rohc_context_find(const rohc_decompression *work, const rohc_profile *profile, uint16_t cid, const void **fixed,
                       const void **dynamic) {
    const ox_rohc_decompressor *decompressor = work->decompressor;
    if (cid >= decompressor->contexts_count) return false;
    const rohc_context *context = &decompressor->contexts[cid];
    if (context->profile != profile) return false;
    *fixed = context->state;
    *dynamic = context->state + profile->fixed_bytes;
    return true;
}

/* Whether it came before, as far as the context remembers: what it keeps an earlier state for has not. */
static bool seen(const rohc_context *context, uint64_t number) {
    if (number == 0 || number > context->newest.number) return false;
    if (number == context->newest.number) return true;
    for (uint32_t i = 0; i < CONTEXT_LATE; i++)
        if (context->late[i] == (uint16_t)number) return true;
    for (uint32_t i = 0; i < context->saved; i++)
        if (number == context->stamps[i].number) return true;
    return false;
}

static void note_late(rohc_context *context, uint64_t number) {
    memmove(context->late + 1, context->late, (CONTEXT_LATE - 1) * sizeof *context->late);
    context->late[0] = (uint16_t)number;
}

/* ---- one packet ----------------------------------------------------------------------------------------------- */

/* A packet taken apart as far as all profiles have in common. */
typedef struct parts {
    const uint8_t *start; /* first octet: an Add-CID octet, or the type */
    uint8_t first;
    uint16_t cid;
    rohc_reader body;
    bool ir;              /* has profile and CRC-8, which are read */
    uint8_t profile;
    const uint8_t *crc;
} parts;

static ox_rohc_verdict take_apart(const ox_rohc_decompressor *decompressor, const uint8_t *bytes, const uint8_t *end, parts *parts) {
    *parts = (struct parts){.start = bytes, .body = {.at = bytes, .end = end}};
    parts->first = rohc_read8(&parts->body);
    if (!decompressor->parameters.large_cids && (parts->first & 0xF0) == TYPE_ADD_CID) {
        parts->cid = parts->first & 0x0F;
        parts->first = rohc_read8(&parts->body);
        //= RFC 3095 section 5.2
        //# behind an Add-CID octet there is neither padding nor another one, and no feedback
        if ((parts->first & 0xF0) == TYPE_ADD_CID || (parts->first & 0xF8) == TYPE_FEEDBACK) return OX_ROHC_MALFORMED;
    }
    if (decompressor->parameters.large_cids) {
        const uint8_t high = rohc_read8(&parts->body);
        if (high >= 0xC0) return OX_ROHC_MALFORMED;
        parts->cid = high < 0x80 ? high : (uint16_t)((uint32_t)(high & 0x3F) << 8 | rohc_read8(&parts->body));
    }
    if (parts->body.short_) return OX_ROHC_MALFORMED;
    if (parts->cid >= decompressor->contexts_count) return OX_ROHC_NO_CONTEXT;
    if ((parts->first & 0xFE) == TYPE_IR || parts->first == TYPE_IR_DYN) {
        parts->ir = true;
        parts->profile = rohc_read8(&parts->body);
        parts->crc = rohc_read(&parts->body, 1);
        if (parts->crc == NULL) return OX_ROHC_MALFORMED;
    }
    return OX_ROHC_PASS;
}

static bool ir_crc_right(const parts *parts, const uint8_t *end) {
    const uint8_t zero = 0;
    uint8_t crc = rohc_crc8(parts->start, (uint32_t)(parts->crc - parts->start), CRC8_START);
    //= RFC 3095 section 5.10.1
    //# profile Uncompressed: from the first octet to the profile's
    if (parts->profile == 0x00) return crc == *parts->crc;
    crc = rohc_crc8(&zero, 1, crc);
    crc = rohc_crc8(parts->crc + 1, (uint32_t)(end - parts->crc - 1), crc);
    return crc == *parts->crc;
}

/*
 * How many packets of this flow may be missing between two: all that are missing of all flows, or as many as the counts say. The
 * newer stamp gets the count that it can be given.
 */
static uint64_t missing_between(const stamp *from, stamp *now) {
    enum { COUNTS = 1 << 16 };
    const uint64_t between = now->number - from->number - 1;
    const uint32_t missing = now->missing - from->missing;
    const uint64_t most = between < missing ? between : missing;
    if (most >= COUNTS || !from->counted) return most;
    if (!now->counted && most == 0) {
        now->counted = true;
        now->count = (uint16_t)(from->count + 1);
    }
    if (!now->counted) return most;
    const uint16_t missed = (uint16_t)(now->count - from->count - 1);
    return missed < most ? missed : most;
}

/* Decompresses into copies; they are the context's when the packet passed and is its newest. */
static ox_rohc_verdict through_profile(ox_rohc_decompressor *decompressor, const parts *parts, const rohc_profile *profile,
                                       stamp *now, ox_rohc_decompressed *out) {
    rohc_context *context = &decompressor->contexts[parts->cid];
    rohc_decompression work = {
        .parameters = &decompressor->parameters, .decompressor = decompressor,
        .fixed = decompressor->fixed, .dynamic = decompressor->dynamic,
        .first = parts->first, .body = parts->body, .cid = parts->cid, .lost_most = UINT64_MAX,
        .header = {.at = out->header, .end = out->header + sizeof out->header},
    };
    const bool late = now->number != 0 && now->number < context->newest.number;
    stamp from = {0};
    work.fresh = context->profile != profile || !load(decompressor, context, now->number, &from);
    if (work.fresh) {
        if (!parts->ir) return context->profile == profile ? OX_ROHC_LATE : OX_ROHC_NO_CONTEXT;
        memset(decompressor->fixed, 0, profile->fixed_bytes);
        memset(decompressor->dynamic, 0, profile->dynamic_bytes);
    } else if (now->number != 0 && from.number != 0) {
        work.known_order = true;
        work.lost_most = missing_between(&from, now);
    }
    /* The CRC of IR-DYN says nothing of the static part, which may be another flow's when all the IR packets of a new one were lost. */
    const uint32_t bridge = decompressor->parameters.bidirectional ? ROHC_BRIDGE : decompressor->parameters.repetitions;
    if (parts->first == TYPE_IR_DYN && work.known_order && work.lost_most >= bridge) return OX_ROHC_AMBIGUOUS;
    ox_rohc_verdict verdict = profile->decompress(&work);
    if (verdict == OX_ROHC_PASS && work.body.short_) verdict = OX_ROHC_MALFORMED;
    /* What was lost may have changed which octets have which meaning. */
    const bool stale = work.known_order && work.lost_most != 0 && !parts->ir;
    if (stale && (verdict == OX_ROHC_MALFORMED || verdict == OX_ROHC_TYPE_UNKNOWN)) verdict = OX_ROHC_CRC;
    if (verdict != OX_ROHC_PASS) return verdict;
    if (work.header.full) return OX_ROHC_TOO_LONG;
    if (parts->ir && !ir_crc_right(parts, work.body.at)) return OX_ROHC_CRC;
    out->header_bytes = (uint32_t)(work.header.at - out->header);
    out->payload = work.body.at;
    out->payload_bytes = rohc_left(&work.body);
    out->type = work.type;
    if (out->header_bytes + out->payload_bytes > OX_ROHC_PACKET_MAX) return OX_ROHC_TOO_LONG;
    //= RFC 5225 section 5.2.2
    //# after failures a CRC of 3 bits proves too little: the context may be wrong
    const uint32_t failures = work.known_order ? 0 : 1;
    if (!late && !work.fresh && context->failed > failures && !work.verified) return OX_ROHC_CRC;
    if (decompressor->parameters.verify_checksums && !rohc_checksum_right(out)) return OX_ROHC_CHECKSUM;
    if (late) {
        decompressor->late_passed++;
        note_late(context, now->number);
    } else {
        stamp made = *now;
        /* What was lost up to now came partly after this packet, which is late, if not in its context. So it counts as lost before. */
        if (now->number < decompressor->highest) made.missing = from.missing;
        commit(decompressor, context, profile, &work, made, now->missing);
        rohc_owe_passed(decompressor, context, &work);
    }
    decompressor->repaired += work.repaired;
    return OX_ROHC_PASS;
}

static ox_rohc_verdict one_packet(ox_rohc_decompressor *decompressor, const uint8_t *bytes, const uint8_t *end,
                                  const ox_rohc_arrival *arrival, ox_rohc_decompressed *out) {
    parts parts;
    const ox_rohc_verdict verdict = take_apart(decompressor, bytes, end, &parts);
    if (verdict != OX_ROHC_PASS) return verdict;
    out->cid = parts.cid;
    rohc_context *context = &decompressor->contexts[parts.cid];
    if (seen(context, arrival->number)) return OX_ROHC_DUPLICATE;
    if (arrival->number > decompressor->highest) decompressor->highest = arrival->number;
    if (arrival->number != 0 && arrival->highest > decompressor->highest) decompressor->highest = arrival->highest;
    const rohc_profile *profile = context->profile;
    if (parts.ir) {
        profile = rohc_profile_of_octet(parts.profile, decompressor->parameters.profiles);
        if (profile == NULL || profile->decompress == NULL) {
            context->failed_ever++;
            return OX_ROHC_PROFILE_UNKNOWN;
        }
    }
    if (profile == NULL) {
        context->failed_ever++;
        rohc_owe_stranger(decompressor, context, parts.cid);
        return OX_ROHC_NO_CONTEXT;
    }
    out->profile = profile->number;
    if (arrival->lost > decompressor->missing_least) decompressor->missing_least = arrival->lost;
    stamp now = {
        .number = arrival->number & INT64_MAX, .counted = arrival->counted,
        .missing = (uint32_t)decompressor->missing_least + context->failed_ever, .count = arrival->count,
    };
    const ox_rohc_verdict result = through_profile(decompressor, &parts, profile, &now, out);
    const bool late = arrival->number != 0 && arrival->number < context->newest.number;
    if (result != OX_ROHC_PASS) context->failed_ever++;
    if (result != OX_ROHC_PASS && context->profile == NULL) rohc_owe_stranger(decompressor, context, parts.cid);
    else if (result != OX_ROHC_PASS && !late) rohc_owe_failed(decompressor, context, parts.cid, result, now.number != 0);
    return result;
}

/* ---- segments (RFC 3095 section 5.2.5) ------------------------------------------------------------------------- */

/* A segment; the last one makes `bytes` and `end` those of the packet put together. */
static ox_rohc_verdict take_segment(ox_rohc_decompressor *decompressor, const uint8_t **bytes, const uint8_t **end) {
    enum { FCS_BYTES = 4 };
    const bool last = (**bytes & 1) != 0;
    const uint8_t *content = *bytes + 1;
    //= RFC 3095 section 5.2.5.1
    //# a CID of the large kind, or an Add-CID octet, is within the segmented packet
    const uint32_t count = (uint32_t)(*end - content), room = decompressor->parameters.mrru;
    const bool fits = !decompressor->segments_broken && count <= room - decompressor->segments_bytes;
    if (fits && count != 0) memcpy(decompressor->segments + decompressor->segments_bytes, content, count);
    decompressor->segments_bytes += fits ? count : 0;
    decompressor->segments_broken = !fits;
    if (!last) return fits ? OX_ROHC_NOTHING : OX_ROHC_SEGMENT;

    const uint32_t total = decompressor->segments_bytes;
    decompressor->segments_bytes = 0;
    decompressor->segments_broken = false;
    if (!fits || total <= FCS_BYTES) return OX_ROHC_SEGMENT;
    *bytes = decompressor->segments;
    *end = *bytes + total - FCS_BYTES;
    const uint8_t *fcs = *end;
    const uint32_t stated = fcs[0] | (uint32_t)fcs[1] << 8 | (uint32_t)fcs[2] << 16 | (uint32_t)fcs[3] << 24;
    return rohc_fcs32(*bytes, total - FCS_BYTES) == stated ? OX_ROHC_PASS : OX_ROHC_SEGMENT;
}

/* ---- what stands in front of a packet -------------------------------------------------------------------------- */

static ox_rohc_verdict decompress(ox_rohc_decompressor *decompressor, const uint8_t *bytes, uint32_t len,
                                  const ox_rohc_arrival *arrival, ox_rohc_decompressed *out) {
    rohc_reader reader = {.at = bytes, .end = bytes + len};
    while (rohc_left(&reader) != 0 && *reader.at == TYPE_PADDING) reader.at++;
    out->feedback = reader.at;
    while (rohc_left(&reader) != 0 && (*reader.at & 0xF8) == TYPE_FEEDBACK) {
        const uint8_t *data;
        uint32_t count;
        if (!rohc_feedback_next(&reader, &data, &count)) return OX_ROHC_MALFORMED;
        out->feedback_bytes = (uint32_t)(reader.at - out->feedback);
    }
    if (rohc_left(&reader) == 0) return OX_ROHC_NOTHING;
    const uint8_t *at = reader.at, *end = reader.end;
    if ((*at & 0xFE) == TYPE_SEGMENT) {
        if (decompressor->segments == NULL) return OX_ROHC_SEGMENT;
        const ox_rohc_verdict verdict = take_segment(decompressor, &at, &end);
        if (verdict != OX_ROHC_PASS) return verdict;
    } else if (decompressor->segments_bytes != 0 || decompressor->segments_broken) {
        //= RFC 3095 section 5.2.5.1
        //# whatever is no segment ends the packet that came in segments
        decompressor->segments_bytes = 0;
        decompressor->segments_broken = false;
    }
    return one_packet(decompressor, at, end, arrival, out);
}

ox_rohc_verdict ox_rohc_decompress(ox_rohc_decompressor *decompressor, const uint8_t *packet, uint32_t len,
                                   const ox_rohc_arrival *arrival, ox_rohc_decompressed *out) {
    out->header_bytes = out->payload_bytes = out->feedback_bytes = 0;
    out->payload = out->feedback = NULL;
    out->profile = UINT16_MAX;
    out->cid = 0;
    decompressor->feedback_bytes = 0;
    const ox_rohc_verdict verdict = len > OX_ROHC_PACKET_MAX + OX_ROHC_HEADER_MAX
                                        ? OX_ROHC_TOO_LONG
                                        : decompress(decompressor, packet, len, arrival, out);
    decompressor->verdicts[verdict]++;
    if (verdict == OX_ROHC_PASS) {
        decompressor->types[out->type]++;
    } else {
        out->header_bytes = out->payload_bytes = 0;
        out->payload = NULL;
    }
    return verdict;
}

uint32_t ox_rohc_feedback_take(ox_rohc_decompressor *decompressor, uint8_t *elements, uint32_t capacity) {
    OX_ASSERT(capacity >= OX_ROHC_FEEDBACK_MAX);
    const uint32_t count = decompressor->feedback_bytes;
    memcpy(elements, decompressor->feedback, count);
    decompressor->feedback_bytes = 0;
    return count;
}

void ox_rohc_decompressor_status(const ox_rohc_decompressor *decompressor, ox_rohc_decompressor_report *report) {
    *report = (ox_rohc_decompressor_report){
        .late_passed = decompressor->late_passed, .repaired = decompressor->repaired,
        .acks = decompressor->sent_acks[ROHC_ACK], .nacks = decompressor->sent_acks[ROHC_NACK],
        .static_nacks = decompressor->sent_acks[ROHC_STATIC_NACK],
    };
    memcpy(report->verdicts, decompressor->verdicts, sizeof report->verdicts);
    memcpy(report->types, decompressor->types, sizeof report->types);
}
