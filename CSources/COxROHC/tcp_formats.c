#include "tcp.h"

// What all formats but rnd_5, rnd_6, rnd_8 and seq_8 end with.
#define TAIL_BITS [FIELD_MSN] = TCP_MSN_BITS, [FIELD_PSH] = 1, [FIELD_CRC] = 3
#define TAIL_SHIFT [FIELD_MSN] = 4, [FIELD_PSH] = 3, [FIELD_CRC] = 0

//= RFC 6846 section 8.2
//# co_baseheader
const tcp_format tcp_formats[2][TCP_FORMATS] = {
    {
        {.type = OX_ROHC_TYPE_TCP_RND_2, .octets = 2, .mark_bits = 4, .mark = 0xC,
         .bits = {[FIELD_SCALED] = 4, TAIL_BITS},
         .shift = {[FIELD_SCALED] = 8, TAIL_SHIFT},
         .offset = {[FIELD_SCALED] = 7, [FIELD_MSN] = TCP_MSN_OFFSET}},
        {.type = OX_ROHC_TYPE_TCP_RND_4, .octets = 2, .mark_bits = 4, .mark = 0xD,
         .bits = {[FIELD_ACK_SCALED] = 4, TAIL_BITS},
         .shift = {[FIELD_ACK_SCALED] = 8, TAIL_SHIFT},
         .offset = {[FIELD_ACK_SCALED] = 3, [FIELD_MSN] = TCP_MSN_OFFSET}},
        {.type = OX_ROHC_TYPE_TCP_RND_3, .octets = 3, .mark_bits = 1, .mark = 0,
         .bits = {[FIELD_ACK] = 15, TAIL_BITS},
         .shift = {[FIELD_ACK] = 8, TAIL_SHIFT},
         .offset = {[FIELD_ACK] = 8191, [FIELD_MSN] = TCP_MSN_OFFSET}},
        {.type = OX_ROHC_TYPE_TCP_RND_1, .octets = 4, .mark_bits = 6, .mark = 0x2E,
         .bits = {[FIELD_SEQ] = 18, TAIL_BITS},
         .shift = {[FIELD_SEQ] = 8, TAIL_SHIFT},
         .offset = {[FIELD_SEQ] = 65535, [FIELD_MSN] = TCP_MSN_OFFSET}},
        {.type = OX_ROHC_TYPE_TCP_RND_6, .octets = 4, .mark_bits = 4, .mark = 0xA,
         .bits = {[FIELD_CRC] = 3, [FIELD_PSH] = 1, [FIELD_ACK] = 16, [FIELD_MSN] = TCP_MSN_BITS, [FIELD_SCALED] = 4},
         .shift = {[FIELD_CRC] = 25, [FIELD_PSH] = 24, [FIELD_ACK] = 8, [FIELD_MSN] = 4, [FIELD_SCALED] = 0},
         .offset = {[FIELD_ACK] = 16383, [FIELD_SCALED] = 7, [FIELD_MSN] = TCP_MSN_OFFSET}},
        {.type = OX_ROHC_TYPE_TCP_RND_5, .octets = 5, .mark_bits = 3, .mark = 4,
         .bits = {[FIELD_PSH] = 1, [FIELD_MSN] = TCP_MSN_BITS, [FIELD_CRC] = 3, [FIELD_SEQ] = 14, [FIELD_ACK] = 15},
         .shift = {[FIELD_PSH] = 36, [FIELD_MSN] = 32, [FIELD_CRC] = 29, [FIELD_SEQ] = 15, [FIELD_ACK] = 0},
         .offset = {[FIELD_SEQ] = 8191, [FIELD_ACK] = 8191, [FIELD_MSN] = TCP_MSN_OFFSET}},
        {.type = OX_ROHC_TYPE_TCP_RND_7, .octets = 6, .mark_bits = 6, .mark = 0x2F,
         .bits = {[FIELD_ACK] = 18, [FIELD_WINDOW] = 16, TAIL_BITS},
         .shift = {[FIELD_ACK] = 24, [FIELD_WINDOW] = 8, TAIL_SHIFT},
         .offset = {[FIELD_ACK] = 65535, [FIELD_MSN] = TCP_MSN_OFFSET}},
        {.type = OX_ROHC_TYPE_TCP_RND_8, .octets = 7, .mark_bits = 5, .mark = 0x16,
         .bits = {[FIELD_RSF] = 2, [FIELD_LIST] = 1, [FIELD_CRC] = 7, [FIELD_MSN] = TCP_MSN_BITS, [FIELD_PSH] = 1,
                  [FIELD_TTL] = 3, [FIELD_ECN] = 1, [FIELD_SEQ] = 16, [FIELD_ACK] = 16},
         .shift = {[FIELD_RSF] = 49, [FIELD_LIST] = 48, [FIELD_CRC] = 41, [FIELD_MSN] = 37, [FIELD_PSH] = 36,
                   [FIELD_TTL] = 33, [FIELD_ECN] = 32, [FIELD_SEQ] = 16, [FIELD_ACK] = 0},
         .offset = {[FIELD_TTL] = 3, [FIELD_SEQ] = 65535, [FIELD_ACK] = 16383, [FIELD_MSN] = TCP_MSN_OFFSET}},
    },
    {
        {.type = OX_ROHC_TYPE_TCP_SEQ_4, .octets = 2, .mark_bits = 1, .mark = 0,
         .bits = {[FIELD_ACK_SCALED] = 4, [FIELD_ID] = 3, TAIL_BITS},
         .shift = {[FIELD_ACK_SCALED] = 11, [FIELD_ID] = 8, TAIL_SHIFT},
         .offset = {[FIELD_ACK_SCALED] = 3, [FIELD_ID] = 1, [FIELD_MSN] = TCP_MSN_OFFSET}},
        {.type = OX_ROHC_TYPE_TCP_SEQ_2, .octets = 3, .mark_bits = 5, .mark = 0x1A,
         .bits = {[FIELD_ID] = 7, [FIELD_SCALED] = 4, TAIL_BITS},
         .shift = {[FIELD_ID] = 12, [FIELD_SCALED] = 8, TAIL_SHIFT},
         .offset = {[FIELD_ID] = 3, [FIELD_SCALED] = 7, [FIELD_MSN] = TCP_MSN_OFFSET}},
        {.type = OX_ROHC_TYPE_TCP_SEQ_1, .octets = 4, .mark_bits = 4, .mark = 0xA,
         .bits = {[FIELD_ID] = 4, [FIELD_SEQ] = 16, TAIL_BITS},
         .shift = {[FIELD_ID] = 24, [FIELD_SEQ] = 8, TAIL_SHIFT},
         .offset = {[FIELD_ID] = 3, [FIELD_SEQ] = 32767, [FIELD_MSN] = TCP_MSN_OFFSET}},
        {.type = OX_ROHC_TYPE_TCP_SEQ_3, .octets = 4, .mark_bits = 4, .mark = 0x9,
         .bits = {[FIELD_ID] = 4, [FIELD_ACK] = 16, TAIL_BITS},
         .shift = {[FIELD_ID] = 24, [FIELD_ACK] = 8, TAIL_SHIFT},
         .offset = {[FIELD_ID] = 3, [FIELD_ACK] = 16383, [FIELD_MSN] = TCP_MSN_OFFSET}},
        {.type = OX_ROHC_TYPE_TCP_SEQ_6, .octets = 5, .mark_bits = 5, .mark = 0x1B,
         .bits = {[FIELD_SCALED] = 4, [FIELD_ID] = 7, [FIELD_ACK] = 16, TAIL_BITS},
         .shift = {[FIELD_SCALED] = 31, [FIELD_ID] = 24, [FIELD_ACK] = 8, TAIL_SHIFT},
         .offset = {[FIELD_SCALED] = 7, [FIELD_ID] = 3, [FIELD_ACK] = 16383, [FIELD_MSN] = TCP_MSN_OFFSET}},
        {.type = OX_ROHC_TYPE_TCP_SEQ_5, .octets = 6, .mark_bits = 4, .mark = 0x8,
         .bits = {[FIELD_ID] = 4, [FIELD_ACK] = 16, [FIELD_SEQ] = 16, TAIL_BITS},
         .shift = {[FIELD_ID] = 40, [FIELD_ACK] = 24, [FIELD_SEQ] = 8, TAIL_SHIFT},
         .offset = {[FIELD_ID] = 3, [FIELD_ACK] = 16383, [FIELD_SEQ] = 32767, [FIELD_MSN] = TCP_MSN_OFFSET}},
        {.type = OX_ROHC_TYPE_TCP_SEQ_7, .octets = 6, .mark_bits = 4, .mark = 0xC,
         .bits = {[FIELD_WINDOW] = 15, [FIELD_ID] = 5, [FIELD_ACK] = 16, TAIL_BITS},
         .shift = {[FIELD_WINDOW] = 29, [FIELD_ID] = 24, [FIELD_ACK] = 8, TAIL_SHIFT},
         .offset = {[FIELD_WINDOW] = 16383, [FIELD_ID] = 3, [FIELD_ACK] = 32767, [FIELD_MSN] = TCP_MSN_OFFSET}},
        {.type = OX_ROHC_TYPE_TCP_SEQ_8, .octets = 7, .mark_bits = 4, .mark = 0xB,
         .bits = {[FIELD_ID] = 4, [FIELD_LIST] = 1, [FIELD_CRC] = 7, [FIELD_MSN] = TCP_MSN_BITS, [FIELD_PSH] = 1,
                  [FIELD_TTL] = 3, [FIELD_ECN] = 1, [FIELD_ACK] = 15, [FIELD_RSF] = 2, [FIELD_SEQ] = 14},
         .shift = {[FIELD_ID] = 48, [FIELD_LIST] = 47, [FIELD_CRC] = 40, [FIELD_MSN] = 36, [FIELD_PSH] = 35,
                   [FIELD_TTL] = 32, [FIELD_ECN] = 31, [FIELD_ACK] = 16, [FIELD_RSF] = 14, [FIELD_SEQ] = 0},
         .offset = {[FIELD_ID] = 3, [FIELD_TTL] = 3, [FIELD_ACK] = 8191, [FIELD_SEQ] = 8191, [FIELD_MSN] = TCP_MSN_OFFSET}},
    },
};

const tcp_format *tcp_format_of(uint8_t first, bool sequential) {
    // The marks of a set are no prefixes of each other, so at most one format fits.
    for (uint32_t i = 0; i < TCP_FORMATS; i++) {
        const tcp_format *format = &tcp_formats[sequential][i];
        if (first >> (8 - format->mark_bits) == format->mark) return format;
    }
    return NULL;
}

uint8_t tcp_rsf_index(uint8_t flags) {
    switch (flags & FLAGS_RSF) {
    case 0: return 0;
    case FLAG_RST: return 1;
    case FLAG_SYN: return 2;
    case FLAG_FIN: return 3;
    default: return 4;
    }
}

uint8_t tcp_rsf_flags(uint32_t index) {
    static const uint8_t flags[4] = {0, FLAG_RST, FLAG_SYN, FLAG_FIN};
    return flags[index & 3];
}
