#include "tcp.h"

/** Section 8.2, ts_lsb. */
static uint32_t read_ts(rohc_reader *body, uint32_t reference) {
    const uint32_t first = rohc_read8(body);
    if (first < 0x80) return rohc_lsb_decode(reference, first, 7, -1);
    if (first < 0xC0) return rohc_lsb_decode(reference, (first & 0x3F) << 8 | rohc_read8(body), 14, -1);
    const uint32_t second = rohc_read16(body);
    if (first < 0xE0) return rohc_lsb_decode(reference, (first & 0x1F) << 16 | second, 21, 0x00040000);
    return rohc_lsb_decode(reference, (first & 0x1F) << 24 | second << 8 | rohc_read8(body), 29, 0x04000000);
}

/** Section 8.2, sack_pure_lsb. */
static bool read_edge(rohc_reader *body, uint32_t base, uint32_t *edge) {
    const uint32_t first = rohc_read8(body);
    if (first < 0x80) {
        *edge = base + (first << 8 | rohc_read8(body));
    } else if (first < 0xC0) {
        *edge = base + ((first & 0x3F) << 16 | rohc_read16(body));
    } else if (first < 0xE0) {
        const uint32_t high = (first & 0x1F) << 24;
        *edge = base + (high | (uint32_t)rohc_read8(body) << 16);
        *edge += rohc_read16(body);
    } else if (first == 0xFF) {
        *edge = base + rohc_read32(body);
    } else {
        return false;
    }
    return true;
}

/** A list item, or an irregular one, where 0 says that nothing changed. */
static bool read_sack(tcp_rebuild *rebuild, bool irregular) {
    tcp_values *values = &rebuild->now->values;
    rohc_reader *body = &rebuild->work->body;
    const uint8_t blocks = rohc_read8(body);
    if (blocks == 0) return irregular && (rebuild->before.values.known >> ITEM_SACK & 1) != 0;
    if (blocks > TCP_SACK_BLOCKS) return false;
    uint32_t base = rebuild->now->ack;
    for (uint32_t i = 0; i < 2u * blocks; i++) {
        if (!read_edge(body, base, &values->edge[i])) return false;
        base = values->edge[i];
    }
    values->blocks = blocks;
    return true;
}

/** The items of the list, which become part of the table. */
static bool read_generic_item(tcp_rebuild *rebuild, uint32_t index, uint16_t listed) {
    const uint8_t *octets = rohc_read(&rebuild->work->body, 2);
    if (octets == NULL) return false;
    const uint32_t bytes = octets[1] & 0x7Fu;
    if (bytes < 2 || bytes > TCP_OPTIONS_MAX) return false;
    const uint8_t *content = rohc_read(&rebuild->work->body, bytes - 2);
    rebuild->touched = rebuild->fixed->has_pool = true;
    return content != NULL &&
           tcp_pool_put(&rebuild->fixed->pool, index, octets[0], octets[1] >> 7, content, (uint8_t)(bytes - 2), listed);
}

static bool read_item(tcp_rebuild *rebuild, uint32_t index, uint16_t listed) {
    tcp_values *values = &rebuild->now->values;
    rohc_reader *body = &rebuild->work->body;
    if (index >= ITEM_GENERIC) return read_generic_item(rebuild, index, listed);
    switch (index) {
    case ITEM_EOL: {
        const uint8_t bits = rohc_read8(body);
        if (bits % 8 != 0 || bits / 8 >= TCP_OPTIONS_MAX) return false;
        values->padding = bits / 8;
        break;
    }
    case ITEM_MSS: values->mss = rohc_read16(body); break;
    case ITEM_SCALE: values->scale = rohc_read8(body); break;
    case ITEM_TIMESTAMPS:
        values->ts = rohc_read32(body);
        values->echo = rohc_read32(body);
        break;
    case ITEM_SACK:
        if (!read_sack(rebuild, false)) return false;
        break;
    default: break;
    }
    values->known = (uint8_t)(values->known | 1u << index);
    return true;
}

/** The irregular item of an option whose content is in the table. */
static bool read_irregular(tcp_rebuild *rebuild, uint32_t index) {
    tcp_values *values = &rebuild->now->values;
    rohc_reader *body = &rebuild->work->body;
    tcp_pool *pool = &rebuild->fixed->pool;
    if (index >= ITEM_GENERIC) {
        if (!tcp_known(pool, index)) return false;
        if ((pool->stable >> index & 1) != 0) return true;
        const uint8_t mark = rohc_read8(body);
        if (mark == 0xFF) return true;
        const tcp_generic item = pool->item[index - ITEM_GENERIC];
        const uint8_t *content = rohc_read(body, item.bytes);
        rebuild->touched = true;
        return mark == 0 && content != NULL && tcp_pool_put(pool, index, item.kind, false, content, item.bytes, 0xFFFF);
    }
    if (index == ITEM_NOP || index == ITEM_SACK_PERMITTED) return true;
    if (index == ITEM_SACK) {
        if (!read_sack(rebuild, true)) return false;
        values->known |= 1u << ITEM_SACK;
        return true;
    }
    if ((rebuild->before.values.known >> index & 1) == 0) return false;
    if (index == ITEM_TIMESTAMPS) {
        values->ts = read_ts(body, rebuild->before.values.ts);
        values->echo = read_ts(body, rebuild->before.values.echo);
    }
    return true;
}

/** Puts an option together from its content in the table. */
static void write_option(tcp_rebuild *rebuild, uint32_t i, uint32_t index) {
    const tcp_values *values = &rebuild->now->values;
    uint8_t *option = rebuild->option[i];
    uint32_t bytes = 2;
    switch (index) {
    case ITEM_NOP:
        option[0] = KIND_NOP;
        rebuild->option_bytes[i] = 1;
        return;
    case ITEM_EOL:
        memset(option, 0, values->padding + 1u);
        rebuild->option_bytes[i] = (uint8_t)(values->padding + 1);
        return;
    case ITEM_MSS:
        option[0] = KIND_MSS;
        ox_store_be16(option + 2, values->mss);
        bytes = 4;
        break;
    case ITEM_SCALE:
        option[0] = KIND_SCALE;
        option[2] = values->scale;
        bytes = 3;
        break;
    case ITEM_TIMESTAMPS:
        option[0] = KIND_TIMESTAMPS;
        ox_store_be32(option + 2, values->ts);
        ox_store_be32(option + 6, values->echo);
        bytes = 10;
        break;
    case ITEM_SACK_PERMITTED: option[0] = KIND_SACK_PERMITTED; break;
    case ITEM_SACK:
        option[0] = KIND_SACK;
        for (uint32_t j = 0; j < 2u * values->blocks; j++) ox_store_be32(option + 2 + 4 * j, values->edge[j]);
        bytes = 2 + 8u * values->blocks;
        break;
    default: {
        const tcp_generic *item = &rebuild->fixed->pool.item[index - ITEM_GENERIC];
        option[0] = item->kind;
        memcpy(option + 2, tcp_pool_get(&rebuild->fixed->pool, index), item->bytes);
        bytes = 2u + item->bytes;
        break;
    }
    }
    option[1] = (uint8_t)bytes;
    rebuild->option_bytes[i] = (uint8_t)bytes;
}

//= RFC 6846 section 6.3.3
//# compressed list of TCP options
bool tcp_read_list(tcp_rebuild *rebuild, bool all) {
    rohc_reader *body = &rebuild->work->body;
    tcp_list *list = &rebuild->now->list;
    const uint8_t head = rohc_read8(body);
    rebuild->work->news = true;
    const bool wide = (head & 0x10) != 0;
    list->count = head & 0xF;
    rebuild->present = 0;
    uint16_t listed = 0;
    uint8_t pair = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        uint8_t item;
        if (wide) {
            item = rohc_read8(body);
            if ((item & 0x70) != 0) return false;
        } else {
            if (i % 2 == 0) pair = rohc_read8(body);
            const uint8_t half = i % 2 == 0 ? pair >> 4 : pair & 0xF;
            item = (uint8_t)((half & 8) << 4 | (half & 7));
        }
        list->index[i] = item & 0xF;
        listed |= (uint16_t)(1u << list->index[i]);
        if (item >= 0x80) rebuild->present |= (uint16_t)(1u << i);
        else if (all) return false;
    }
    if ((head & 0xE0) != 0 || (!wide && list->count % 2 != 0 && (pair & 0xF) != 0) || body->short_) return false;
    for (uint32_t i = 0; i < list->count; i++) {
        if ((rebuild->present >> i & 1) == 0) continue;
        if (!read_item(rebuild, list->index[i], listed)) return false;
        write_option(rebuild, i, list->index[i]);
    }
    return true;
}

bool tcp_read_options(tcp_rebuild *rebuild, bool replicated) {
    const tcp_list *list = &rebuild->now->list;
    for (uint32_t i = 0; i < list->count; i++) {
        const uint32_t index = list->index[i];
        if ((rebuild->present >> i & 1) != 0) continue;
        if (!replicated) {
            if (!read_irregular(rebuild, index)) return false;
        } else if (index >= ITEM_GENERIC) {
            if (!tcp_known(&rebuild->fixed->pool, index)) return false;
        } else if (index != ITEM_NOP && index != ITEM_SACK_PERMITTED && (rebuild->now->values.known >> index & 1) == 0) {
            return false;
        }
        write_option(rebuild, i, index);
    }
    return true;
}
