/* The seam between the variants of the checksum: each gives what ox_checksum_scalar() gives, for every input. */
#ifndef COXPACKET_CHECKSUM_IMPL_H
#define COXPACKET_CHECKSUM_IMPL_H

#include "oxcore/packet.h"

uint32_t ox_checksum_scalar(const uint8_t *bytes, size_t len, uint32_t start);
#ifdef __x86_64__
uint32_t ox_checksum_avx2(const uint8_t *bytes, size_t len, uint32_t start);
uint32_t ox_checksum_avx512(const uint8_t *bytes, size_t len, uint32_t start);
#endif

/* A sum of 16-bit words to 16 bits. */
static inline uint32_t ox_checksum_fold(uint64_t sum) {
    sum = (sum & UINT32_MAX) + (sum >> 32);
    sum = (sum & UINT16_MAX) + (sum >> 16);
    sum = (sum & UINT16_MAX) + (sum >> 16);
    return (uint32_t)((sum & UINT16_MAX) + (sum >> 16));
}

/* Of words in the machine's order: the folded sum is swapped once, instead of every word (RFC 1071 section 2 (B)). */
static inline uint32_t ox_checksum_swap_and_add(uint64_t sum, uint32_t start) {
    uint32_t folded = ox_checksum_fold(sum);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    folded = __builtin_bswap16((uint16_t)folded);
#endif
    return ox_checksum_fold((uint64_t)folded + start);
}

/*
 * Signed variants. A vector multiply-add takes signed words, so each word w is read as w - 32768 by flipping its top
 * bit, and what was taken off is given back at the end. The sums of one chunk of OX_CHECKSUM_CHUNK bytes, and of the
 * zeros that fill its last vector, are below 2^31 in all together.
 */
enum { OX_CHECKSUM_CHUNK = 65536, OX_CHECKSUM_BIAS = 32768 };

#endif
