#include "lab/link.h"

#include <stddef.h>

#include "lab/random.h"

/* One independent stream of draws for each question that is asked about a packet. */
enum {
    DRAW_LOSS,
    DRAW_STATE,
    DRAW_STATE_LOSS,
    DRAW_JITTER_0,
    DRAW_JITTER_1,
    DRAW_JITTER_2,
    DRAW_REORDER,
    DRAW_DUPLICATE,
};

enum { MILLISECOND_NS = 1000000, SECOND_NS = 1000000000 };

#define BYTE_TIMES_RATE UINT64_C(8000000000) /* nanoseconds to send a byte, times bits a second */

static bool is_probability(double p) { return p >= 0 && p <= 1; }

static const char *trace_problem(const lab_link_config *config) {
    if (config->trace_ms == NULL) return NULL;
    if (config->rate_bits_per_s != 0) return "a trace and a rate exclude each other: the trace is the rate.";
    if (config->trace_count == 0) return "the trace is empty.";
    for (uint32_t i = 1; i < config->trace_count; i++) {
        if (config->trace_ms[i] < config->trace_ms[i - 1]) return "the trace goes back in time.";
    }
    if (config->trace_ms[config->trace_count - 1] == 0) return "the last line of the trace must be later than 0 ms.";
    return NULL;
}

const char *lab_link_config_problem(const lab_link_config *config) {
    const double probabilities[] = {config->loss,         config->bad_from_good, config->good_from_bad,
                                    config->loss_in_good, config->loss_in_bad,   config->reorder,
                                    config->duplicate};
    for (size_t i = 0; i < sizeof probabilities / sizeof probabilities[0]; i++) {
        if (!is_probability(probabilities[i])) return "a probability lies outside 0 to 1.";
    }
    if (config->mtu == 0 || config->mtu > LAB_MTU_MAX) return "the MTU must be 1 to 65535 bytes.";
    if (config->bad_from_good > 0 && config->good_from_bad <= 0) {
        return "a Gilbert-Elliott chain with p above 0 needs r above 0, or it stays bad for ever.";
    }
    const bool bounded = config->queue_bytes != 0 || config->queue_ns != 0;
    if (bounded && config->rate_bits_per_s == 0 && config->trace_ms == NULL) {
        return "a queue needs a rate or a trace in front of it: without one nothing ever waits.";
    }
    for (uint32_t i = 0; i < config->outage_count; i++) {
        const lab_outage *outage = &config->outages[i];
        if (outage->length_ns == 0) return "an outage must last longer than 0.";
        if (outage->period_ns != 0 && outage->period_ns <= outage->length_ns) {
            return "the period of an outage must be longer than the outage.";
        }
    }
    return trace_problem(config);
}

bool lab_link_config_add_outage(lab_link_config *config, lab_outage outage) {
    if (config->outage_count == LAB_OUTAGES_MAX) return false;
    config->outages[config->outage_count++] = outage;
    return true;
}

uint64_t lab_link_direction_seed(uint64_t seed, uint32_t direction) { return lab_mix(seed * 2 + direction + 1); }

void lab_link_start(lab_link *link, const lab_link_config *config, uint64_t start_ns) {
    *link = (lab_link){.config = *config, .start_ns = start_ns};
}

/* Loss. Asked for every offered packet, whatever becomes of it, because the chain takes a step with each index. */

static bool is_marked_lost(lab_link *link, uint64_t index) {
    const lab_link_config *config = &link->config;
    const double change = link->bad ? config->good_from_bad : config->bad_from_good;
    if (lab_draw_chance(config->seed, index, DRAW_STATE, change)) link->bad = !link->bad;
    const double state_loss = link->bad ? config->loss_in_bad : config->loss_in_good;
    const bool by_state = lab_draw_chance(config->seed, index, DRAW_STATE_LOSS, state_loss);
    return lab_draw_chance(config->seed, index, DRAW_LOSS, config->loss) || by_state;
}

/* The bottleneck. Each form says when the packet's last bit is sent, or that the queue has no room. */

static bool send_at_rate(lab_link *link, uint64_t now_ns, uint32_t bytes, uint64_t *sent_ns) {
    const lab_link_config *config = &link->config;
    const uint64_t rate = config->rate_bits_per_s;
    const bool idle = link->busy_until_ns <= now_ns;
    const uint64_t carry = idle ? 0 : link->carry;
    const uint64_t begin_ns = idle ? now_ns : link->busy_until_ns;
    const uint64_t work = bytes * BYTE_TIMES_RATE + carry;
    const uint64_t finish_ns = begin_ns + work / rate;

    /* An idle link takes any packet, or a queue shorter than one packet would pass nothing at all. */
    if (!idle) {
        const unsigned __int128 backlog_bits = (unsigned __int128)(begin_ns - now_ns) * rate / SECOND_NS;
        if (config->queue_bytes != 0 && backlog_bits / 8 + bytes > config->queue_bytes) return false;
        if (config->queue_ns != 0 && finish_ns - now_ns > config->queue_ns) return false;
    }
    link->busy_until_ns = finish_ns;
    link->carry = work % rate;
    *sent_ns = finish_ns;
    return true;
}

/* Opportunities of the trace that lie before `elapsed_ns`. */
static uint64_t trace_passed(const lab_link_config *config, uint64_t elapsed_ns) {
    const uint64_t period_ns = (uint64_t)config->trace_ms[config->trace_count - 1] * MILLISECOND_NS;
    const uint64_t within_ns = elapsed_ns % period_ns;
    uint32_t low = 0;
    uint32_t high = config->trace_count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if ((uint64_t)config->trace_ms[middle] * MILLISECOND_NS < within_ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return elapsed_ns / period_ns * config->trace_count + low;
}

static bool send_by_trace(lab_link *link, uint64_t now_ns, uint32_t bytes, uint64_t *sent_ns) {
    const lab_link_config *config = &link->config;
    const uint64_t passed_bytes = trace_passed(config, now_ns - link->start_ns) * LAB_TRACE_QUANTUM;
    const bool idle = link->trace_cursor_bytes <= passed_bytes;
    const uint64_t cursor = (idle ? passed_bytes : link->trace_cursor_bytes) + bytes;

    const uint64_t opportunity = (cursor - 1) / LAB_TRACE_QUANTUM;
    const uint64_t period_ms = config->trace_ms[config->trace_count - 1];
    const uint64_t at_ms =
        opportunity / config->trace_count * period_ms + config->trace_ms[opportunity % config->trace_count];
    const uint64_t finish_ns = link->start_ns + at_ms * MILLISECOND_NS;

    if (!idle) {
        if (config->queue_bytes != 0 && cursor - passed_bytes > config->queue_bytes) return false;
        if (config->queue_ns != 0 && finish_ns > now_ns + config->queue_ns) return false;
    }
    link->trace_cursor_bytes = cursor;
    *sent_ns = finish_ns > now_ns ? finish_ns : now_ns;
    return true;
}

static bool send_through_bottleneck(lab_link *link, uint64_t now_ns, uint32_t bytes, uint64_t *sent_ns) {
    if (link->config.rate_bits_per_s != 0) return send_at_rate(link, now_ns, bytes, sent_ns);
    if (link->config.trace_ms != NULL) return send_by_trace(link, now_ns, bytes, sent_ns);
    *sent_ns = now_ns;
    return true;
}

static bool is_down(const lab_link *link, uint64_t at_ns) {
    const uint64_t elapsed_ns = at_ns - link->start_ns;
    for (uint32_t i = 0; i < link->config.outage_count; i++) {
        const lab_outage *outage = &link->config.outages[i];
        if (elapsed_ns < outage->at_ns) continue;
        uint64_t since_ns = elapsed_ns - outage->at_ns;
        if (outage->period_ns != 0) since_ns %= outage->period_ns;
        if (since_ns < outage->length_ns) return true;
    }
    return false;
}

/* The way from the bottleneck to the far end. */

/* Irwin-Hall: the sum of twelve uniforms has variance 1. Integers only, so every machine draws the same. */
static double standard_normal(uint64_t seed, uint64_t index) {
    int64_t sum = 0;
    for (uint32_t purpose = DRAW_JITTER_0; purpose <= DRAW_JITTER_2; purpose++) {
        const uint64_t bits = lab_draw(seed, index, purpose);
        for (int part = 0; part < 4; part++) sum += (int64_t)(bits >> (16 * part) & 0xffff);
    }
    return ((double)sum - 12 * 32767.5) / 65536;
}

static int64_t jitter_of(const lab_link_config *config, uint64_t index) {
    if (config->jitter_ns == 0) return 0;
    const double spread = config->jitter_shape == LAB_JITTER_NORMAL
                              ? standard_normal(config->seed, index)
                              : 2 * lab_draw_unit(config->seed, index, DRAW_JITTER_0) - 1;
    return (int64_t)(spread * (double)config->jitter_ns);
}

static uint64_t propagate(lab_link *link, uint64_t sent_ns, lab_passage *passage) {
    const lab_link_config *config = &link->config;
    const int64_t on_the_way_ns = (int64_t)config->delay_ns + jitter_of(config, passage->index);
    uint64_t departure_ns = sent_ns + (on_the_way_ns > 0 ? (uint64_t)on_the_way_ns : 0);

    passage->held_back = lab_draw_chance(config->seed, passage->index, DRAW_REORDER, config->reorder);
    if (!config->jitter_reorders && departure_ns < link->last_departure_ns) departure_ns = link->last_departure_ns;
    link->last_departure_ns = departure_ns;
    return passage->held_back ? departure_ns + config->reorder_ns : departure_ns;
}

lab_passage lab_link_offer(lab_link *link, uint64_t now_ns, uint32_t bytes) {
    lab_passage passage = {.fate = LAB_DELIVERED, .copies = 1, .index = link->next_index++};
    const bool marked_lost = is_marked_lost(link, passage.index);
    uint64_t sent_ns = 0;
    if (bytes > link->config.mtu) {
        passage.fate = LAB_TOO_BIG;
    } else if (!send_through_bottleneck(link, now_ns, bytes, &sent_ns)) {
        passage.fate = LAB_QUEUE_FULL;
    } else if (is_down(link, sent_ns)) {
        passage.fate = LAB_OUTAGE;
    } else if (marked_lost) {
        passage.fate = LAB_LOST;
    } else {
        const double duplicate = link->config.duplicate;
        passage.copies += lab_draw_chance(link->config.seed, passage.index, DRAW_DUPLICATE, duplicate);
        passage.queued_ns = sent_ns - now_ns;
        passage.departure_ns = propagate(link, sent_ns, &passage);
    }
    return passage;
}
