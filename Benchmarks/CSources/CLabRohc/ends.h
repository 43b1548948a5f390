/* A compressor and the decompressor at the other end of its channel. */
#ifndef LAB_ROHC_ENDS_H
#define LAB_ROHC_ENDS_H

#include "lab/rohc.h"
#include "oxcore/rohc.h"

typedef struct ends {
    ox_rohc_compressor *sender;
    ox_rohc_decompressor *receiver;
} ends;

/* As the tunnel has them when `tunnel` is set: packets may go out raw, and checksums are verified. */
bool ends_open(ends *e, const lab_rohc_options *options, bool tunnel);
void ends_close(ends *e);
ox_rohc_parameters ends_parameters(const lab_rohc_options *options, bool tunnel);

/* The ROHC packet, or the packet itself where it goes out raw; its length. */
uint32_t ends_join(const ox_rohc_compressed *made, ox_rohc_outcome outcome, const uint8_t *packet, uint32_t bytes, uint8_t *wire);

/* Whether what came out is the packet that went in. */
bool ends_equal(const ox_rohc_decompressed *made, const uint8_t *packet, uint32_t bytes);

#endif
