/**
 * @file  The seam behind which AEADs are computed: libsodium everywhere, Intel's ipsec-mb where it is installed.
 *
 * Not part of the C API: aead*.c, init.c and the tests of this room include it. What a backend produces is defined by RFC 8439
 * and SP 800-38D, so all of them give the same bytes; ::OX_AEAD_NONE never gets here.
 */
#ifndef OXCRYPTO_AEAD_H
#define OXCRYPTO_AEAD_H

#include "oxcore/crypto.h"

#include <stdalign.h>

enum {
    OX_AEAD_NONCE_BYTES = 12,
    OX_AEAD_AAD_MAX = 16,
    OX_AEAD_KEY_ROOM = 1024, /**< bytes of the largest expanded key: an AES schedule and 48 powers of the GHASH key */
    OX_AEAD_ALIGNMENT = 64,
    OX_AEAD_NAME_MAX = 128,
};

/** One direction's key, in the form that its backend needs. */
typedef struct ox_aead_key {
    alignas(OX_AEAD_ALIGNMENT) uint8_t room[OX_AEAD_KEY_ROOM];
} ox_aead_key;

typedef void ox_aead_run(void *state, ox_aead aead, const ox_aead_key *key, uint32_t path, ox_aead_job *jobs, uint32_t count);

typedef struct ox_aead_backend {
    /**
     * Called once, before anything else of it. Writes its name, with version and instruction set.
     * @return NULL, or in a few words why it cannot be used here.
     */
    const char *(*start)(char name[OX_AEAD_NAME_MAX]);
    bool (*available)(ox_aead aead);
    size_t (*state_bytes)(void);      /**< what an engine must reserve for it, aligned to OX_AEAD_ALIGNMENT */
    bool (*state_init)(void *state);  /**< of zeroed memory. It is wiped and freed by the engine */
    void (*expand)(ox_aead aead, const uint8_t bytes[OX_KEY_BYTES], ox_aead_key *key);
    ox_aead_run *seal;
    ox_aead_run *open; /**< sets `authentic` of every job */
} ox_aead_backend;

extern const ox_aead_backend ox_aead_sodium;
extern const ox_aead_backend ox_aead_ipsec;

/** Uses the best backend that starts and gives the known answers. libsodium is initialised. */
void ox_aead_choose(void);
/** The same of one candidate, libsodium when it is no good: the provider's name says why. */
void ox_aead_try(const ox_aead_backend *candidate);
/** Whether a started backend seals a fixed packet with each of its AEADs to the known tag, and opens it again. */
bool ox_aead_answers_right(const ox_aead_backend *backend);

/** Bytes to ask of sodium_malloc(): it ends an object at the end of a page, so that a multiple of the alignment has it. */
static inline size_t ox_aead_room(size_t bytes) {
    return (bytes + OX_AEAD_ALIGNMENT - 1) / OX_AEAD_ALIGNMENT * OX_AEAD_ALIGNMENT;
}

static inline void ox_aead_nonce(uint8_t nonce[OX_AEAD_NONCE_BYTES], uint32_t path, uint64_t number) {
    for (int i = 0; i < 4; i++) nonce[i] = (uint8_t)(path >> (8 * i));
    for (int i = 0; i < 8; i++) nonce[4 + i] = (uint8_t)(number >> (8 * i));
}

#endif
