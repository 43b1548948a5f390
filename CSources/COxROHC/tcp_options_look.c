#include "tcp_flow.h"

/** NOP, NOP, timestamps of 10 octets: what nearly all packets of most flows have. */
enum { USUAL_OPTIONS = 0x0101080A, USUAL_BYTES = 12 };

/** Item that stands for an option of this kind and length alone, or TCP_ITEMS. */
static uint32_t own_item(uint8_t kind, uint32_t bytes) {
    switch (kind) {
    case KIND_MSS: return bytes == 4 ? ITEM_MSS : TCP_ITEMS;
    case KIND_SCALE: return bytes == 3 ? ITEM_SCALE : TCP_ITEMS;
    case KIND_SACK_PERMITTED: return bytes == 2 ? ITEM_SACK_PERMITTED : TCP_ITEMS;
    case KIND_SACK: return bytes >= 10 && bytes <= 34 && bytes % 8 == 2 ? ITEM_SACK : TCP_ITEMS;
    case KIND_TIMESTAMPS: return bytes == 10 ? ITEM_TIMESTAMPS : TCP_ITEMS;
    default: return TCP_ITEMS;
    }
}

/** Whether the item holds an option of that kind and length, and how much of it is equal: 2 for all. */
static uint32_t likeness(const tcp_pool *pool, uint32_t index, const uint8_t *option, uint32_t bytes) {
    const tcp_generic *item = &pool->item[index - ITEM_GENERIC];
    if (!tcp_known(pool, index) || item->kind != option[0] || item->bytes + 2u != bytes) return 0;
    return memcmp(tcp_pool_get(pool, index), option + 2, item->bytes) == 0 ? 2 : 1;
}

/** An item for a generic option: the one with its content, or its kind, or a free one, or one that this list has no use for. */
static uint32_t generic_item(const tcp_facts *facts, const uint8_t *option, uint32_t bytes) {
    const tcp_flow *flow = facts->flow;
    uint32_t best = TCP_ITEMS, best_rank = 0;
    uint16_t in_use = 0;
    for (uint32_t i = 0; i < flow->list.count; i++) in_use |= (uint16_t)(1u << flow->list.index[i]);
    for (uint32_t index = ITEM_GENERIC; index < TCP_ITEMS; index++) {
        if ((facts->items >> index & 1) != 0) continue;
        const uint32_t like = likeness(&flow->pool, index, option, bytes);
        const uint32_t rank = like != 0 ? 2 + like : !tcp_known(&flow->pool, index) ? 2 : 1 - (in_use >> index & 1u);
        if (best == TCP_ITEMS || rank > best_rank) {
            best = index;
            best_rank = rank;
        }
    }
    return best;
}

static void look_at_generic(tcp_facts *facts, uint32_t index, const uint8_t *option, uint32_t bytes) {
    // Another content of the same length can be told by the irregular chain.
    const uint32_t like = likeness(&facts->flow->pool, index, option, bytes);
    if (like == 0) facts->new_items |= (uint16_t)(1u << index);
    if (like != 2) facts->new_contents |= (uint16_t)(1u << index);
}

static void look_at_sack(tcp_facts *facts, const uint8_t *option, uint32_t bytes) {
    const tcp_flow *flow = facts->flow;
    tcp_values *values = &facts->values;
    values->blocks = (uint8_t)(bytes / 8);
    for (uint32_t i = 0; i < 2u * values->blocks; i++) values->edge[i] = ox_load_be32(option + 2 + 4 * i);
    const bool same = (flow->values.known >> ITEM_SACK & 1) != 0 && values->blocks == flow->values.blocks &&
                      memcmp(values->edge, flow->values.edge, 8u * values->blocks) == 0;
    if (!same) facts->new_lessons |= 1u << LESSON_SACK;
    facts->sack_same = tcp_knows(facts, LESSON_SACK);
    if (!facts->sack_same) facts->tells |= 1u << LESSON_SACK;
}

/** Octets of ts_lsb (section 8.2), or 0: the value has to be told whole. */
static uint8_t ts_octets(rohc_spread spread) {
    if (rohc_fits(spread, 7, -1)) return 1;
    if (rohc_fits(spread, 14, -1)) return 2;
    if (rohc_fits(spread, 21, 0x00040000)) return 3;
    return rohc_fits(spread, 29, 0x04000000) ? 4 : 0;
}

static void look_at_timestamps(tcp_facts *facts, const uint8_t *option) {
    const tcp_flow *flow = facts->flow;
    const tcp_times *times = &flow->times;
    facts->values.ts = ox_load_be32(option + 2);
    facts->values.echo = ox_load_be32(option + 6);
    if (times->count == 0) {
        facts->new_items |= 1u << ITEM_TIMESTAMPS;
        return;
    }
    const tcp_ring recent = tcp_newest(times->next, times->count, ROHC_WINDOW, ROHC_WINDOW);
    rohc_spread ts = tcp_spread32(times->ts, recent, facts->values.ts), echo = tcp_spread32(times->echo, recent, facts->values.echo);
    for (uint32_t i = 0; i < flow->marks.count; i++) {
        tcp_widen(&ts, (int32_t)(facts->values.ts - flow->marks.ts[i]));
        tcp_widen(&echo, (int32_t)(facts->values.echo - flow->marks.echo[i]));
    }
    facts->ts_octets = ts_octets(ts);
    facts->echo_octets = ts_octets(echo);
    facts->ts_whole = facts->ts_octets == 0 || facts->echo_octets == 0 || !tcp_knows(facts, LESSON_JUMP);
}

/** An option that is in the list already: whether it is equal, so that one item says both. */
static bool repeats(const tcp_facts *facts, uint32_t index, const uint8_t *option, uint32_t bytes) {
    for (uint32_t i = 0; i < facts->list.count; i++)
        if (facts->list.index[i] == index)
            return facts->option_bytes[i] == bytes && memcmp(facts->tcp + facts->option_at[i], option, bytes) == 0;
    return false;
}

static uint32_t look_at_option(tcp_facts *facts, const uint8_t *option, uint32_t bytes) {
    const tcp_flow *flow = facts->flow;
    uint32_t index = own_item(option[0], bytes);
    if (index != TCP_ITEMS && (facts->items >> index & 1) != 0) {
        // What changes with each packet is told once only.
        if (index != ITEM_SACK && index != ITEM_TIMESTAMPS && repeats(facts, index, option, bytes)) return index;
        index = TCP_ITEMS;
    }
    if (index == TCP_ITEMS) {
        index = generic_item(facts, option, bytes);
        if (index != TCP_ITEMS) look_at_generic(facts, index, option, bytes);
        return index;
    }
    switch (index) {
    case ITEM_MSS:
        facts->values.mss = ox_load_be16(option + 2);
        if (facts->values.mss != flow->values.mss) facts->new_items |= 1u << index;
        break;
    case ITEM_SCALE:
        facts->values.scale = option[2];
        if (facts->values.scale != flow->values.scale) facts->new_items |= 1u << index;
        break;
    case ITEM_SACK: look_at_sack(facts, option, bytes); break;
    case ITEM_TIMESTAMPS: look_at_timestamps(facts, option); break;
    default: break;
    }
    return index;
}

static bool look_at_padding(tcp_facts *facts, const uint8_t *options, uint32_t bytes) {
    // Its length is told in bits, with 8 of them.
    if (8 * (bytes - 1) > UINT8_MAX) return false;
    for (uint32_t i = 0; i < bytes; i++)
        if (options[i] != 0) return false;
    facts->values.padding = (uint8_t)(bytes - 1);
    if (facts->values.padding != facts->flow->values.padding) facts->new_items |= 1u << ITEM_EOL;
    return true;
}

static void add(tcp_facts *facts, uint32_t index, uint32_t at, uint32_t bytes) {
    facts->list.index[facts->list.count] = (uint8_t)index;
    facts->option_at[facts->list.count] = (uint8_t)(TCP_BYTES + at);
    facts->option_bytes[facts->list.count++] = (uint8_t)bytes;
    facts->items |= (uint16_t)(1u << index);
}

static bool look_one_by_one(tcp_facts *facts, const uint8_t *options, uint32_t bytes) {
    for (uint32_t at = 0; at < bytes;) {
        const uint8_t *option = options + at;
        if (facts->list.count == TCP_LIST_MAX) return false;
        uint32_t index = ITEM_NOP, length = 1;
        if (option[0] == KIND_EOL) {
            length = bytes - at;
            index = ITEM_EOL;
            if (!look_at_padding(facts, option, length)) return false;
        } else if (option[0] != KIND_NOP) {
            if (bytes - at < 2 || option[1] < 2 || option[1] > bytes - at) return false;
            length = option[1];
            index = look_at_option(facts, option, length);
            if (index == TCP_ITEMS) return false;
        }
        add(facts, index, at, length);
        at += length;
    }
    return true;
}

/** Items that are known are told by their index alone; NOP and SACK-permitted have no content to tell. */
static void decide_on_list(tcp_facts *facts) {
    const uint16_t empty = 1u << ITEM_NOP | 1u << ITEM_SACK_PERMITTED;
    uint16_t unknown = 0;
    for (uint32_t left = facts->items & ~(uint32_t)empty; left != 0; left &= left - 1) {
        const uint32_t i = (uint32_t)__builtin_ctz(left);
        if (!tcp_knows_item(facts, i)) unknown |= (uint16_t)(1u << i);
    }
    if (facts->ts_whole) unknown |= 1u << ITEM_TIMESTAMPS;
    const tcp_list *old = &facts->flow->list;
    // Behind its last index a list has zeros.
    if (memcmp(old, &facts->list, sizeof *old) != 0) facts->new_lessons |= 1u << LESSON_LIST;
    facts->list_needed = unknown != 0 || !tcp_knows(facts, LESSON_LIST);
    facts->listed = (uint16_t)(unknown | (facts->items & empty));
}

bool tcp_look_at_options(tcp_facts *facts, const uint8_t *options, uint32_t bytes) {
    if (bytes == USUAL_BYTES && ox_load_be32(options) == USUAL_OPTIONS) {
        add(facts, ITEM_NOP, 0, 1);
        add(facts, ITEM_NOP, 1, 1);
        add(facts, ITEM_TIMESTAMPS, 2, 10);
        look_at_timestamps(facts, options + 2);
    } else if (!look_one_by_one(facts, options, bytes)) {
        return false;
    }
    decide_on_list(facts);
    return true;
}
