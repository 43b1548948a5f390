#include "tcp_flow.h"

/** Section 8.2, ts_lsb. */
static void write_ts(rohc_writer *body, uint32_t value, uint32_t octets) {
    switch (octets) {
    case 1: rohc_write8(body, value & 0x7F); break;
    case 2: rohc_write16(body, 0x8000 | (value & 0x3FFF)); break;
    case 3:
        rohc_write8(body, 0xC0 | (value >> 16 & 0x1F));
        rohc_write16(body, value & 0xFFFF);
        break;
    default: rohc_write32(body, 0xE0000000 | (value & 0x1FFFFFFF)); break;
    }
}

/** Section 8.2, sack_pure_lsb. */
static void write_edge(rohc_writer *body, uint32_t distance) {
    if (distance <= 0x7FFF) {
        rohc_write16(body, distance);
    } else if (distance <= 0x3FFFFF) {
        rohc_write8(body, 0x80 | distance >> 16);
        rohc_write16(body, distance & 0xFFFF);
    } else if (distance <= 0x1FFFFFFF) {
        rohc_write32(body, 0xC0000000 | distance);
    } else {
        rohc_write8(body, 0xFF);
        rohc_write32(body, distance);
    }
}

static void write_sack(const tcp_facts *facts, rohc_writer *body) {
    rohc_write8(body, facts->values.blocks);
    uint32_t base = facts->ack;
    for (uint32_t i = 0; i < 2u * facts->values.blocks; i++) {
        write_edge(body, facts->values.edge[i] - base);
        base = facts->values.edge[i];
    }
}

static void write_item(const tcp_facts *facts, uint32_t i, rohc_writer *body) {
    const uint8_t *option = facts->tcp + facts->option_at[i];
    switch (facts->list.index[i]) {
    case ITEM_NOP: case ITEM_SACK_PERMITTED: break;
    case ITEM_EOL: rohc_write8(body, facts->values.padding * 8u); break;
    case ITEM_MSS: rohc_write(body, option + 2, 2); break;
    case ITEM_SCALE: rohc_write8(body, option[2]); break;
    case ITEM_TIMESTAMPS: rohc_write(body, option + 2, 8); break;
    case ITEM_SACK: write_sack(facts, body); break;
    default: rohc_write(body, option, facts->option_bytes[i]); break; /* not static: the flag is the length's highest bit, 0 */
    }
}

static bool is_wide(const tcp_facts *facts) { return facts->items >> 8 != 0; }

//= RFC 6846 section 6.3.3
//# compressed list of TCP options
void tcp_write_list(const tcp_facts *facts, uint16_t listed, rohc_writer *body) {
    const tcp_list *list = &facts->list;
    const bool wide = is_wide(facts);
    rohc_write8(body, (wide ? 0x10u : 0) | list->count);
    uint32_t pair = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        const uint32_t index = list->index[i], told = listed >> index & 1u;
        if (wide) {
            rohc_write8(body, told << 7 | index);
        } else if (i % 2 == 0) {
            pair = (told << 3 | index) << 4;
        } else {
            rohc_write8(body, pair | told << 3 | index);
        }
    }
    if (!wide && list->count % 2 != 0) rohc_write8(body, pair);
    for (uint32_t i = 0; i < list->count; i++)
        if ((listed >> list->index[i] & 1) != 0) write_item(facts, i, body);
}

static void write_irregular(const tcp_facts *facts, uint32_t i, rohc_writer *body) {
    const uint32_t index = facts->list.index[i];
    if (index == ITEM_TIMESTAMPS) {
        write_ts(body, facts->values.ts, facts->ts_octets);
        write_ts(body, facts->values.echo, facts->echo_octets);
    } else if (index == ITEM_SACK) {
        if (facts->sack_same) rohc_write8(body, 0);
        else write_sack(facts, body);
    } else if (index >= ITEM_GENERIC) {
        if (tcp_knows_content(facts, index)) {
            rohc_write8(body, 0xFF);
        } else {
            rohc_write8(body, 0);
            rohc_write(body, facts->tcp + facts->option_at[i] + 2, facts->option_bytes[i] - 2u);
        }
    }
}

void tcp_write_irregular_options(const tcp_facts *facts, uint16_t listed, rohc_writer *body) {
    for (uint32_t i = 0; i < facts->list.count; i++)
        if ((listed >> facts->list.index[i] & 1) == 0) write_irregular(facts, i, body);
}
