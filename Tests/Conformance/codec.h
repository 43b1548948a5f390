/**
 * @file  The codec as the corpus needs it: a compressor and a decompressor of one channel each, and feedback between them.
 */
#ifndef CONFORMANCE_CODEC_H
#define CONFORMANCE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CODEC_VERSIONS = 2 };

/** What both ends of a channel agree upon. */
typedef struct codec_kind {
    int version; /**< 0: the profiles of RFC 3095 and RFC 6846, 1: those of RFC 5225 */
    bool large_cids;
    unsigned max_cid;
    bool feedback;          /**< O-mode; else U-mode */
    unsigned reorder_ratio; /**< RFC 5225 section 6.3.2, for compression only */
} codec_kind;

typedef struct codec_outcome {
    const char *refused; /**< why there is no packet, or NULL */
    bool left;           /**< the compressor says: send it as it is */
    unsigned profile;    /**< the profile that it went by, where that is known */
} codec_outcome;

typedef struct codec codec;

/** Ends the program when there is no memory. */
codec *codec_open(codec_kind kind);
void codec_close(codec *one); /**< NULL is allowed */

size_t codec_compress(codec *one, const uint8_t *packet, size_t size, uint8_t *out, size_t room, codec_outcome *outcome);
size_t codec_decompress(codec *one, const uint8_t *rohc, size_t size, uint8_t *out, size_t room, codec_outcome *outcome);

/** Hands what the decompressor `from` wants said to the compressor `to`, in O-mode. */
void codec_feed_back(codec *from, codec *to);

#endif
