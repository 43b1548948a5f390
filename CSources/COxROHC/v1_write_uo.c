/*
 * The shortest UO packet. A table a kind of headers lists what each format carries; the first that carries all that is needed,
 * in bits enough for whatever the decompressor's references are, is taken. What a format carries without need has to fit as well.
 */
#include "v1_flow.h"

typedef enum base_form { FORM_UO_0, FORM_UO_1, FORM_UO_1_TS, FORM_UOR_2, FORM_UOR_2_ID, FORM_UOR_2_TS } base_form;

/** Bits that it has. Formats without a field have 0. */
typedef struct format {
    ox_rohc_type type;
    base_form form;
    int8_t extension; /* -1: none; 0 to 3 */
    uint8_t sn, ts, id, id2;
    bool marker;
} format;

/* Each table in order of size; among equals a CRC of 7 bits comes first, but in steady state nothing beats UO-0. */
static const format plain[] = {
    {OX_ROHC_TYPE_UO_0, FORM_UO_0, -1, 4, 0, 0, 0, false},
    {OX_ROHC_TYPE_UOR_2, FORM_UOR_2, -1, 5, 0, 0, 0, false},
    {OX_ROHC_TYPE_UO_1, FORM_UO_1, -1, 5, 0, 6, 0, false},
    {OX_ROHC_TYPE_UOR_2_EXT_0, FORM_UOR_2, 0, 8, 0, 3, 0, false},
    {OX_ROHC_TYPE_UOR_2_EXT_1, FORM_UOR_2, 1, 8, 0, 11, 0, false},
    {OX_ROHC_TYPE_UOR_2_EXT_2, FORM_UOR_2, 2, 8, 0, 8, 11, false},
};
static const format rtp_with_id[] = {
    {OX_ROHC_TYPE_UO_0, FORM_UO_0, -1, 4, 0, 0, 0, false},
    {OX_ROHC_TYPE_UO_1_ID, FORM_UO_1, -1, 4, 0, 5, 0, false},
    {OX_ROHC_TYPE_UO_1_TS, FORM_UO_1_TS, -1, 4, 5, 0, 0, true},
    {OX_ROHC_TYPE_UOR_2_ID, FORM_UOR_2_ID, -1, 6, 0, 5, 0, true},
    {OX_ROHC_TYPE_UOR_2_TS, FORM_UOR_2_TS, -1, 6, 5, 0, 0, true},
    {OX_ROHC_TYPE_UO_1_ID_EXT_0, FORM_UO_1, 0, 7, 0, 8, 0, false},
    {OX_ROHC_TYPE_UOR_2_ID_EXT_0, FORM_UOR_2_ID, 0, 9, 0, 8, 0, true},
    {OX_ROHC_TYPE_UOR_2_TS_EXT_0, FORM_UOR_2_TS, 0, 9, 8, 0, 0, true},
    {OX_ROHC_TYPE_UO_1_ID_EXT_1, FORM_UO_1, 1, 7, 8, 8, 0, false},
    {OX_ROHC_TYPE_UOR_2_ID_EXT_1, FORM_UOR_2_ID, 1, 9, 8, 8, 0, true},
    {OX_ROHC_TYPE_UOR_2_TS_EXT_1, FORM_UOR_2_TS, 1, 9, 8, 8, 0, true},
    {OX_ROHC_TYPE_UO_1_ID_EXT_2, FORM_UO_1, 2, 7, 8, 16, 0, false},
    {OX_ROHC_TYPE_UOR_2_ID_EXT_2, FORM_UOR_2_ID, 2, 9, 8, 16, 0, true},
    {OX_ROHC_TYPE_UOR_2_TS_EXT_2, FORM_UOR_2_TS, 2, 9, 16, 8, 0, true},
};
static const format rtp_without_id[] = {
    {OX_ROHC_TYPE_UO_0, FORM_UO_0, -1, 4, 0, 0, 0, false},
    {OX_ROHC_TYPE_UO_1_RTP, FORM_UO_1_TS, -1, 4, 6, 0, 0, true},
    {OX_ROHC_TYPE_UOR_2_RTP, FORM_UOR_2, -1, 6, 6, 0, 0, true},
    {OX_ROHC_TYPE_UOR_2_RTP_EXT_0, FORM_UOR_2, 0, 9, 9, 0, 0, true},
    {OX_ROHC_TYPE_UOR_2_RTP_EXT_1, FORM_UOR_2, 1, 9, 17, 0, 0, true},
    {OX_ROHC_TYPE_UOR_2_RTP_EXT_2, FORM_UOR_2, 2, 9, 25, 0, 0, true},
};

static bool id_fits(const v1_need *need, int which, uint32_t bits) {
    if (which < 0) return true;
    const rohc_spread spread = need->id_spread[which];
    if (bits == 0) return spread.least == 0 && spread.most == 0;
    return bits >= 16 || rohc_fits(spread, bits, 0);
}

/* Whether a format without extension 3 says it all. */
static bool says(const format *f, v1_kind kind, const v1_need *need) {
    if (need->proof && f->form <= FORM_UO_1_TS) return false;
    if (!rohc_fits(need->sn_spread, f->sn, v1_sn_offset(kind, f->sn))) return false;
    if (!id_fits(need, need->which, f->id) || !id_fits(need, need->other, f->id2)) return false;
    if (f->id2 != 0 && need->other < 0) return false;
    if (kind != V1_RTP) return true;
    if (need->marker && !f->marker) return false;
    /* UOR-2-TS with extension 1 carries as much: it has the packets that begin a talk spurt. */
    if (need->marker && f->type == OX_ROHC_TYPE_UOR_2_ID_EXT_1) return false;
    return f->ts == 0 ? !need->ts_bits : rohc_fits(need->scaled_spread, f->ts, v1_ts_offset(f->ts));
}

static uint32_t low(uint32_t value, uint32_t bits) { return bits >= 32 ? value : value & ((1u << bits) - 1); }

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/** One packet on its way out: values in as many bits as the format has, of which the base header takes the first. */
typedef struct writing {
    rohc_writer *writer;
    uint8_t *first;
    v1_kind kind;
    const format *format;
    uint32_t sn, ts, id, id2; /* low bits alone */
    bool marker;
    uint8_t crc;
} writing;

static void write_uor_2_rtp(const writing *w, uint32_t five, uint32_t sixth, uint32_t sn) {
    *w->first = (uint8_t)(0xC0 | five);
    rohc_write8(w->writer, sixth << 7 | (w->marker ? 0x40u : 0) | sn);
    rohc_write8(w->writer, (w->format->extension >= 0 ? 0x80u : 0) | w->crc);
}

/* The base header, with the high bits of each field. */
static void write_base(const writing *w) {
    const format *f = w->format;
    const bool extended = f->extension >= 0;
    switch (f->form) {
    case FORM_UO_0: *w->first = (uint8_t)(w->sn << 3 | w->crc); break;
    case FORM_UO_1:
        if (w->kind != V1_RTP) {
            *w->first = (uint8_t)(0x80 | w->id);
            rohc_write8(w->writer, w->sn << 3 | w->crc);
        } else {
            *w->first = (uint8_t)(0x80 | w->id >> (f->id - 5));
            rohc_write8(w->writer, (extended ? 0x80u : 0) | w->sn >> (f->sn - 4) << 3 | w->crc);
        }
        break;
    case FORM_UO_1_TS:
        *w->first = (uint8_t)(0x80 | (f->ts == 5 ? 0x20u : 0) | w->ts);
        rohc_write8(w->writer, (w->marker ? 0x80u : 0) | w->sn << 3 | w->crc);
        break;
    case FORM_UOR_2:
        if (w->kind != V1_RTP) {
            *w->first = (uint8_t)(0xC0 | w->sn >> (f->sn - 5));
            rohc_write8(w->writer, (extended ? 0x80u : 0) | w->crc);
        } else {
            const uint32_t six = w->ts >> (f->ts - 6);
            write_uor_2_rtp(w, six >> 1, six & 1, w->sn >> (f->sn - 6));
        }
        break;
    case FORM_UOR_2_ID: write_uor_2_rtp(w, w->id >> (f->id - 5), 0, w->sn >> (f->sn - 6)); break;
    case FORM_UOR_2_TS: write_uor_2_rtp(w, w->ts >> (f->ts - 5), 1, w->sn >> (f->sn - 6)); break;
    }
}

/* Extensions 0 to 2: 3 bits of SN, then 3 or 11 bits of one field, and 8 of another or the same. */
static void write_extension(const writing *w) {
    const format *f = w->format;
    uint32_t upper = 0, lower = 0;
    const bool two = f->extension == 2;
    if (w->kind != V1_RTP) {
        upper = two ? w->id2 : f->extension == 1 ? w->id >> 8 : w->id;
        lower = w->id;
    } else if (f->form == FORM_UOR_2) {
        upper = f->extension == 0 ? w->ts : w->ts >> 8;
        lower = w->ts;
    } else if (f->form == FORM_UOR_2_TS) {
        upper = w->ts;
        lower = w->id;
    } else {
        upper = w->id;
        lower = w->ts;
    }
    const uint32_t head = (uint32_t)f->extension << 6 | (w->sn & 7) << 3;
    rohc_write8(w->writer, head | (two ? upper >> 8 & 7 : upper & 7));
    if (two) rohc_write8(w->writer, upper & 0xFF);
    if (f->extension >= 1) rohc_write8(w->writer, lower & 0xFF);
}

/* IP-IDs that follow no rule, and the UDP checksum. */
static void write_tail(rohc_compression *work, v1_kind kind, const v1_flow *flow) {
    const rohc_packet *packet = work->packet;
    for (uint32_t i = 0; i < packet->ips; i++)
        if (packet->ip[i].version == 4 && flow->ip[i].rnd) rohc_write16(&work->body, flow->ip[i].id);
    if ((kind == V1_UDP || kind == V1_RTP) && flow->udp_checksum) rohc_write(&work->body, packet->transport + 6, 2);
}

/* ---- extension 3 ------------------------------------------------------------------------------------------------- */

/** What an extension 3 carries besides flags of headers. */
typedef struct third {
    format base;
    bool sn, ts, id, id2; /* has S, R-TS, I, I2 */
    uint32_t ts_bits;     /* of those behind R-TS: 7, 14, 21 or 29 */
} third;

/* The base header: UO-1-ID, where nothing but numbers is to be said, else a UOR-2 of some kind. */
static void plan_base(v1_kind kind, const v1_need *need, bool flags, format *base) {
    *base = (format){.extension = 3, .marker = true, .form = FORM_UOR_2, .sn = 5, .type = OX_ROHC_TYPE_UOR_2_EXT_3};
    if (kind != V1_RTP) return;
    base->sn = 6;
    if (need->which < 0) {
        base->type = OX_ROHC_TYPE_UOR_2_RTP_EXT_3;
        base->ts = 6;
    } else if (!flags && !need->marker && !need->proof) {
        base->type = OX_ROHC_TYPE_UO_1_ID_EXT_3;
        base->form = FORM_UO_1;
        base->marker = false;
        base->sn = 4;
        base->id = 5;
    } else if (need->ts_bits) {
        base->type = OX_ROHC_TYPE_UOR_2_TS_EXT_3;
        base->form = FORM_UOR_2_TS;
        base->ts = 5;
    } else {
        base->type = OX_ROHC_TYPE_UOR_2_ID_EXT_3;
        base->form = FORM_UOR_2_ID;
        base->id = 5;
    }
}

static bool plan_third(v1_kind kind, const v1_need *need, bool flags, third *t) {
    static const uint32_t sizes[] = {7, 14, 21, 29};
    *t = (third){0};
    format *base = &t->base;
    plan_base(kind, need, flags, base);
    if (!rohc_fits(need->sn_spread, base->sn, v1_sn_offset(kind, base->sn))) {
        t->sn = true;
        base->sn = (uint8_t)(base->sn + 8);
        if (!rohc_fits(need->sn_spread, base->sn, v1_sn_offset(kind, base->sn))) return false;
    }
    if (kind == V1_RTP) {
        /* TS in the base header is there anyway where there is no IP-ID. */
        const rohc_spread spread = need->ts_scales ? need->scaled_spread : need->ts_spread;
        const uint32_t in_base = base->ts;
        if (in_base == 0 ? need->ts_bits : !rohc_fits(spread, in_base, v1_ts_offset(in_base))) {
            for (uint32_t i = 0; i < 4 && !t->ts; i++) {
                base->ts = (uint8_t)(in_base + sizes[i]);
                t->ts_bits = sizes[i];
                t->ts = base->ts >= 32 || rohc_fits(spread, base->ts, v1_ts_offset(base->ts));
            }
            if (!t->ts) return false;
        }
    }
    t->id = !id_fits(need, need->which, base->id);
    t->id2 = need->other >= 0 && !id_fits(need, need->other, 0);
    return true;
}

static void write_ip_flags(rohc_compression *work, const v1_flow *flow, uint32_t which, uint32_t last) {
    const v1_ip_dynamic *ip = &flow->ip[which];
    const bool v4 = flow->headers.ip[which].version == 4;
    rohc_write8(&work->body, 0xC0 | (v4 && ip->df ? 0x20u : 0) | (v4 && ip->nbo ? 0x04u : 0) | (v4 && ip->rnd ? 0x02u : 0) | last);
}

static void write_third(rohc_compression *work, v1_kind kind, const v1_flow *flow, const v1_need *need, const third *t) {
    rohc_writer *writer = &work->body;
    const uint32_t inner = flow->headers.ips - 1u;
    const bool ip2 = flow->headers.ips == 2 && (need->ip[0] || t->id2);
    const bool ip = need->ip[inner] || (kind == V1_RTP && ip2);
    const bool rtp = need->rtp || need->stride;
    const bool tsc = need->ts_scales;
    uint32_t flags = 0xC0 | (t->sn ? 0x20u : 0) | (t->id ? 0x04u : 0) | (ip ? 0x02u : 0);
    if (kind == V1_RTP) flags |= (t->ts ? 0x10u : 0) | (tsc ? 0x08u : 0) | (rtp ? 1u : 0);
    else flags |= (uint32_t)(flow->bidirectional ? ROHC_MODE_O : ROHC_MODE_U) << 3 | (ip2 ? 1u : 0);
    rohc_write8(writer, flags);
    if (ip) write_ip_flags(work, flow, inner, kind == V1_RTP && ip2 ? 1 : 0);
    if (ip2) write_ip_flags(work, flow, 0, t->id2 ? 1 : 0);
    if (t->sn) rohc_write8(writer, need->sn & 0xFF);
    if (t->ts) rohc_sdvl_write(writer, low(tsc ? need->ts_scaled : need->ts, t->ts_bits), t->ts_bits);
    if (ip) {
        rohc_write8(writer, flow->ip[inner].tos);
        rohc_write8(writer, flow->ip[inner].ttl);
    }
    if (t->id) rohc_write16(writer, flow->id_offset[need->which]);
    if (ip2) {
        rohc_write8(writer, flow->ip[0].tos);
        rohc_write8(writer, flow->ip[0].ttl);
        if (t->id2) rohc_write16(writer, flow->id_offset[0]);
    }
    if (kind != V1_RTP || !rtp) return;
    const uint32_t mode = flow->bidirectional ? ROHC_MODE_O : ROHC_MODE_U;
    rohc_write8(writer, mode << 6 | (need->rtp ? 0x20u : 0) | (need->marker ? 0x10u : 0) |
                            ((flow->rtp_flags & 0x10) != 0 ? 0x08u : 0) | (need->stride ? 0x02u : 0));
    if (need->rtp) rohc_write8(writer, ((flow->rtp_flags & 0x20) != 0 ? 0x80u : 0) | flow->payload_type);
    if (need->stride) rohc_sdvl_write(writer, flow->ts_stride, 32 - (uint32_t)__builtin_clz(flow->ts_stride));
}

/* ---- the choice -------------------------------------------------------------------------------------------------- */

static const format *choose(v1_kind kind, const v1_flow *flow, v1_need *need, bool flags) {
    const format *table = plain;
    uint32_t count = sizeof plain / sizeof plain[0];
    if (kind == V1_RTP && need->which >= 0) {
        table = rtp_with_id;
        count = sizeof rtp_with_id / sizeof rtp_with_id[0];
    } else if (kind == V1_RTP) {
        table = rtp_without_id;
        count = sizeof rtp_without_id / sizeof rtp_without_id[0];
    }
    /* UO-0 is first in each table, and has no TS. */
    if (!flags && says(&table[0], kind, need)) return &table[0];
    if (kind == V1_RTP) {
        need->ts_spread = rohc_window_spread(&flow->ts_window, flow->ts, 32);
        need->scaled_spread = rohc_window_spread(&flow->scaled_window, flow->ts_scaled, 32);
    }
    for (uint32_t i = 1; i < count && !flags; i++)
        if (says(&table[i], kind, need)) return &table[i];
    return NULL;
}

bool v1_write_uo(rohc_compression *work, v1_kind kind, const v1_flow *flow, v1_need *need) {
    const bool flags = need->ip[0] || need->ip[1] || need->rtp || need->stride || (kind == V1_RTP && !need->ts_scales);
    third t;
    const format *f = choose(kind, flow, need, flags);
    const bool with_third = f == NULL;
    if (with_third) {
        if (!plan_third(kind, need, flags, &t)) return false;
        f = &t.base;
    }
    const uint32_t crc_bits = f->form <= FORM_UO_1_TS ? 3 : 7;
    const rohc_packet *packet = work->packet;
    v1_extent extent = {.ips = packet->ips};
    for (uint32_t i = 0; i < packet->ips; i++) extent.ip_bytes[i] = packet->ip[i].header_bytes;
    const uint32_t ts = kind == V1_RTP && !need->ts_scales ? need->ts : need->ts_scaled;
    writing w = {
        .writer = &work->body, .first = work->first, .kind = kind, .format = f, .marker = need->marker,
        .sn = low(need->sn, f->sn), .ts = low(ts, f->ts),
        .id = need->which < 0 ? 0 : low(flow->id_offset[need->which], f->id),
        .id2 = need->other < 0 ? 0 : low(flow->id_offset[need->other], f->id2),
        .crc = v1_crc(kind, packet->bytes, &extent, crc_bits),
    };
    /* What is behind the base header has the low bits. */
    write_base(&w);
    if (with_third) write_third(work, kind, flow, need, &t);
    else if (f->extension >= 0) write_extension(&w);
    write_tail(work, kind, flow);
    work->type = f->type;
    return true;
}
