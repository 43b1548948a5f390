/**
 * @file  Noise_IKpsk2_25519_ChaChaPoly_BLAKE2b alone (Noise, revision 34), without OxTunnel's framing.
 *
 * Not part of the C API: handshake.c and the tests of this room include it. Each call below processes one Noise
 * message; on failure the state is unusable, so callers work on a copy and commit it after success.
 */
#ifndef OXCRYPTO_NOISE_H
#define OXCRYPTO_NOISE_H

#include "oxcore/crypto.h"

enum {
    OX_NOISE_HASH_BYTES = 64,                                          /**< HASHLEN of BLAKE2b */
    OX_NOISE_FIRST_OVERHEAD = OX_KEY_BYTES + OX_KEY_BYTES + 2 * OX_TAG_BYTES, /**< first message less its payload */
    OX_NOISE_SECOND_OVERHEAD = OX_KEY_BYTES + OX_TAG_BYTES,            /**< second message less its payload */
};

/** Noise sections 5.1 to 5.3: the symmetric state, its cipher state, and the handshake's own key variables. */
typedef struct ox_noise {
    uint8_t h[OX_NOISE_HASH_BYTES];
    uint8_t ck[OX_NOISE_HASH_BYTES];
    uint8_t k[OX_KEY_BYTES];
    uint64_t n;
    uint8_t e[OX_KEY_BYTES];  /**< private ephemeral of this side */
    uint8_t re[OX_KEY_BYTES]; /**< public ephemeral of the other side */
    uint8_t rs[OX_KEY_BYTES]; /**< public static of the other side */
} ox_noise;

/** Initialize(): `responder_public` is the pre-message of the IK pattern, known to both sides. */
void ox_noise_begin(ox_noise *noise, const uint8_t *prologue, size_t prologue_len,
                    const uint8_t responder_public[OX_KEY_BYTES]);

/** Writes `e, es, s, ss` and the payload as the initiator. `noise->e` and `noise->rs` are set. */
OX_MUST_USE ox_status ox_noise_write_first(ox_noise *noise, const uint8_t private_key[OX_KEY_BYTES],
                                           const uint8_t public_key[OX_KEY_BYTES], const uint8_t *payload,
                                           size_t payload_len, uint8_t *out);
/** Reads them as the responder; sets `noise->re` and `noise->rs`. */
OX_MUST_USE ox_status ox_noise_read_first(ox_noise *noise, const uint8_t private_key[OX_KEY_BYTES],
                                          const uint8_t *message, size_t len, uint8_t *payload);
/** Writes `e, ee, se, psk` and the payload as the responder. `noise->e` is set. */
OX_MUST_USE ox_status ox_noise_write_second(ox_noise *noise, const uint8_t psk[OX_KEY_BYTES], const uint8_t *payload,
                                            size_t payload_len, uint8_t *out);
/** Reads them as the initiator. */
OX_MUST_USE ox_status ox_noise_read_second(ox_noise *noise, const uint8_t private_key[OX_KEY_BYTES],
                                           const uint8_t psk[OX_KEY_BYTES], const uint8_t *message, size_t len,
                                           uint8_t *payload);
/** Split(): the initiator sends with `first`, the responder with `second`. */
void ox_noise_split(const ox_noise *noise, uint8_t first[OX_KEY_BYTES], uint8_t second[OX_KEY_BYTES]);

/** What a handshake waits for. */
typedef enum ox_handshake_stage {
    OX_HANDSHAKE_IDLE,
    OX_HANDSHAKE_INITIATED, /**< initiator: waits for the response */
    OX_HANDSHAKE_READ,      /**< responder: has read the initiation */
    OX_HANDSHAKE_COMPLETE,  /**< either: its keys can be taken, once */
} ox_handshake_stage;

struct ox_handshake {
    ox_handshake_stage stage;
    bool initiator;
    bool ephemeral_fixed; /**< only tests set it: the next message uses noise.e as it is */
    uint32_t initiator_index;
    uint8_t psk[OX_KEY_BYTES]; /**< initiator: mixed in when the response arrives */
    ox_noise noise;
};

/** For vectors: the next message that `handshake` writes uses this private key as its ephemeral. */
void ox_handshake_set_ephemeral(ox_handshake *handshake, const uint8_t private_key[OX_KEY_BYTES]);

struct ox_identity {
    uint8_t private_key[OX_KEY_BYTES];
    uint8_t public_key[OX_KEY_BYTES];
    uint8_t mac1_key[OX_KEY_BYTES];
    uint8_t cookie_key[OX_KEY_BYTES];
};

/** BLAKE2b-256 of a label of 17 bytes and a static public key (Wire.md section 4.4). */
void ox_mac1_key(const uint8_t public_key[OX_KEY_BYTES], uint8_t key[OX_KEY_BYTES]);
void ox_cookie_key(const uint8_t public_key[OX_KEY_BYTES], uint8_t key[OX_KEY_BYTES]);

/** Sets mac1 of a message for the holder of `mac1_key`, and leaves mac2 zero. */
void ox_handshake_seal_macs(uint8_t *message, size_t len, const uint8_t mac1_key[OX_KEY_BYTES]);

/** Whether length, type, version and reserved bytes are those of a handshake datagram. */
OX_MUST_USE ox_verdict ox_handshake_shape(const uint8_t *message, size_t len);

/** OxTunnel's own integers are little-endian. */
static inline uint32_t ox_load_le32(const uint8_t *p) {
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}
static inline void ox_store_le32(uint8_t *p, uint32_t v) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (8 * i));
}
static inline void ox_store_le64(uint8_t *p, uint64_t v) {
    for (int i = 0; i < 8; i++) p[i] = (uint8_t)(v >> (8 * i));
}

#endif
