#include "codec.h"

#include "oxcore/rohc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct codec {
    codec_kind kind;
    ox_rohc_compressor *compressor;
    ox_rohc_decompressor *decompressor;
    uint8_t feedback[OX_ROHC_FEEDBACK_MAX];
    uint32_t feedback_bytes;
    uint64_t now_ns;
};

codec *codec_open(codec_kind kind) {
    ox_rohc_parameters parameters = {
        .profiles = kind.version ? OX_ROHC_V2 : OX_ROHC_V1,
        .cid_max = (uint16_t)kind.max_cid,
        .large_cids = kind.large_cids,
        .bidirectional = kind.feedback,
        .reorder_ratio = (uint8_t)kind.reorder_ratio,
    };
    codec *one = calloc(1, sizeof *one);
    if (one) {
        one->kind = kind;
        one->compressor = ox_rohc_compressor_create(&parameters);
        one->decompressor = ox_rohc_decompressor_create(&parameters);
    }
    if (!one || !one->compressor || !one->decompressor) {
        fprintf(stderr, "rohc_corpus: no memory\n");
        exit(2);
    }
    return one;
}

void codec_close(codec *one) {
    if (!one) return;
    ox_rohc_compressor_destroy(one->compressor);
    ox_rohc_decompressor_destroy(one->decompressor);
    free(one);
}

size_t codec_compress(codec *one, const uint8_t *packet, size_t size, uint8_t *out, size_t room, codec_outcome *outcome) {
    static ox_rohc_compressed made;
    one->now_ns += 20000000;
    if (ox_rohc_compress(one->compressor, packet, (uint32_t)size, one->now_ns, &made) == OX_ROHC_RAW) {
        outcome->left = true;
        return 0;
    }
    outcome->profile = made.profile;
    if (made.consumed > size || made.header_bytes + (size - made.consumed) > room) {
        outcome->refused = "the compressor says a length that is not possible";
        return 0;
    }
    memcpy(out, made.header, made.header_bytes);
    memcpy(out + made.header_bytes, packet + made.consumed, size - made.consumed);
    return made.header_bytes + (size - made.consumed);
}

size_t codec_decompress(codec *one, const uint8_t *rohc, size_t size, uint8_t *out, size_t room, codec_outcome *outcome) {
    static ox_rohc_decompressed made;
    one->now_ns += 20000000;
    ox_rohc_arrival arrival = {0};
    ox_rohc_verdict verdict = ox_rohc_decompress(one->decompressor, rohc, (uint32_t)size, &arrival, &made);
    outcome->profile = made.profile;
    one->feedback_bytes = ox_rohc_feedback_take(one->decompressor, one->feedback, sizeof one->feedback);
    if (verdict != OX_ROHC_PASS) {
        outcome->refused = ox_rohc_verdict_name(verdict);
        return 0;
    }
    if (made.header_bytes + (size_t)made.payload_bytes > room) {
        outcome->refused = "the result is too long";
        return 0;
    }
    memcpy(out, made.header, made.header_bytes);
    if (made.payload_bytes) memcpy(out + made.header_bytes, made.payload, made.payload_bytes);
    return made.header_bytes + made.payload_bytes;
}

void codec_feed_back(codec *from, codec *to) {
    if (to->kind.feedback && from->feedback_bytes) ox_rohc_feedback(to->compressor, from->feedback, from->feedback_bytes);
    from->feedback_bytes = 0;
}
