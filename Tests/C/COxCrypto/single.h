/* One datagram at a time, in place, for the tests of this room. */
#ifndef TEST_SINGLE_H
#define TEST_SINGLE_H

#include "oxcore/crypto.h"

static inline ox_aead_engine *single_engine(void) {
    static ox_aead_engine *engine;
    if (engine == NULL) engine = ox_aead_engine_create();
    return engine;
}

static inline void seal_single(const ox_keys *keys, uint32_t path, uint64_t number, const uint8_t *aad, size_t aad_len,
                               uint8_t *data, size_t len) {
    ox_aead_job job = {.number = number, .aad = aad, .from = data, .to = data, .len = (uint32_t)len, .aad_len = (uint8_t)aad_len};
    ox_keys_seal(single_engine(), keys, path, &job, 1);
}

static inline bool open_single(const ox_keys *keys, uint32_t path, uint64_t number, const uint8_t *aad, size_t aad_len,
                               uint8_t *data, size_t len) {
    ox_aead_job job = {.number = number, .aad = aad, .from = data, .to = data, .len = (uint32_t)len, .aad_len = (uint8_t)aad_len};
    ox_keys_open(single_engine(), keys, path, &job, 1);
    return job.authentic;
}

#endif
