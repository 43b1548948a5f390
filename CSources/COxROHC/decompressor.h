/**
 * @file  Contexts of a decompressor, and the feedback that they owe.
 *
 * What a context remembers is stamped with the number of the packet that made it so, and with how many packets had gone missing
 * up to then: those that the channel lost, and those that came but did not pass. Besides the newest state those are kept behind
 * which something went missing: it may come yet.
 */
#ifndef OX_ROHC_DECOMPRESSOR_H
#define OX_ROHC_DECOMPRESSOR_H

#include "state.h"

/** When a state was the newest. */
typedef struct stamp {
    uint64_t number : 63; /* of the packet that made it so; 0 when that is unknown */
    uint64_t counted : 1; /* `count` is known */
    uint32_t missing;     /* up to then */
    uint16_t reach;       /* of a saved one: by how much the number of the packet that came next was higher, at most UINT16_MAX */
    uint16_t count;       /* packets that the compressor had made of the context, modulo 2^16 */
} stamp;

enum {
    CONTEXT_STAMPS = 3,
    CONTEXT_LATE = 2,
};

typedef struct rohc_context {
    const rohc_profile *profile; /* NULL: none yet */
    stamp newest;
    uint8_t saved;        /* how many earlier states there are */
    uint8_t saves;        /* and how many there is room for */
    uint8_t next_saved;   /* place for the next */
    uint8_t failed;       /* packets that did not pass since the last that did, at most 255 */
    uint8_t since_ack;    /* packets that passed since the last ACK, at most 255 */
    uint8_t ack_gap;      /* packets that pass, at least, before the next ACK */
    uint32_t failed_ever;
    uint16_t late[CONTEXT_LATE]; /* low bits of the numbers of the last that were late and passed */
    stamp stamps[CONTEXT_STAMPS]; /* of the saved ones; without dynamics the first is of the packet that made the context */
    _Alignas(8) uint8_t state[ROHC_CONTEXT_STATE_BYTES];
} rohc_context;
OX_STATIC_ASSERT(sizeof(rohc_context) <= ROHC_CONTEXT_BYTES, "a context takes at most 1 KB");

struct ox_rohc_decompressor {
    ox_rohc_parameters parameters;
    uint32_t contexts_count;
    uint64_t highest;        /* number that came */
    uint64_t missing_least;  /* `lost` of the arrivals never falls below it */
    uint64_t late_passed, repaired;
    uint64_t sent_acks[3];
    uint64_t verdicts[OX_ROHC_VERDICT_COUNT];
    uint64_t types[OX_ROHC_TYPE_COUNT];
    uint32_t segments_bytes; /* of the packet that comes in segments */
    bool segments_broken;    /* the rest of it is not wanted */
    uint32_t feedback_bytes;
    uint8_t feedback[OX_ROHC_FEEDBACK_MAX];
    uint8_t *segments;       /* of `mrru` octets */
    rohc_context *contexts;
    /* Copies that a profile works on. */
    _Alignas(8) uint8_t fixed[ROHC_CONTEXT_STATE_BYTES];
    _Alignas(8) uint8_t dynamic[ROHC_CONTEXT_STATE_BYTES];
};

/** verify.c: whether the UDP or TCP checksum of what was decompressed is right; true where there is none to verify. */
bool rohc_checksum_right(const ox_rohc_decompressed *out);

/** What feedback a packet of the context calls for, after it passed or failed. */
void rohc_owe_passed(ox_rohc_decompressor *decompressor, rohc_context *context, const rohc_decompression *work);
void rohc_owe_failed(ox_rohc_decompressor *decompressor, rohc_context *context, uint16_t cid, ox_rohc_verdict verdict, bool ordered);
/** A packet came for a context that there is not. */
void rohc_owe_stranger(ox_rohc_decompressor *decompressor, rohc_context *context, uint16_t cid);

#endif
