/**
 * @file  AEADs, transport keys, and the OxTunnel handshake: Noise_IKpsk2_25519_ChaChaPoly_BLAKE2b.
 *
 * All primitives are libsodium's, except that Intel's ipsec-mb computes the AEADs of ::ox_keys where it is installed.
 * Section numbers are those of OxTunnel's specification (Wire.md); "Noise" is the Noise Protocol Framework, revision 34.
 *
 * Memory:  every secret lives in locked, guarded memory of libsodium's and is wiped when its object is destroyed.
 *          The create functions allocate; nothing else here does.
 * Threads: an object belongs to one thread at a time; ox_keys may be read by one thread while another holds the
 *          pointer without using it.
 */
#ifndef OXCORE_CRYPTO_H
#define OXCORE_CRYPTO_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    OX_KEY_BYTES = 32,
    OX_TAG_BYTES = 16,
    OX_MAC_BYTES = 16,
    OX_COOKIE_BYTES = 16,
    OX_TIMESTAMP_BYTES = 12,         /**< TAI64N */
    OX_HANDSHAKE_PAYLOAD_MAX = 192,  /**< plaintext bytes that either handshake message can carry */
    OX_HANDSHAKE_MAX = 384,          /**< bytes of the largest handshake datagram */
    OX_INITIATION_OVERHEAD = 8 + 32 + 48 + 16 + 32, /**< an initiation less its payload */
    /** a response less its payload; 5 bytes are the version and the responder's index, repeated inside the seal */
    OX_RESPONSE_OVERHEAD = 12 + 32 + 5 + 16 + 32,
    OX_COOKIE_REPLY_BYTES = 8 + 24 + 32,
};
OX_STATIC_ASSERT(OX_INITIATION_OVERHEAD + OX_HANDSHAKE_PAYLOAD_MAX <= OX_HANDSHAKE_MAX, "initiation fits");
OX_STATIC_ASSERT(OX_RESPONSE_OVERHEAD + OX_HANDSHAKE_PAYLOAD_MAX <= OX_HANDSHAKE_MAX, "response fits");
OX_STATIC_ASSERT(OX_RESPONSE_OVERHEAD < OX_INITIATION_OVERHEAD, "a response never amplifies an initiation");

/** First bytes of handshake datagrams (Wire.md section 3). */
enum { OX_TYPE_INITIATION = 1, OX_TYPE_RESPONSE = 2, OX_TYPE_COOKIE_REPLY = 3 };
enum { OX_WIRE_VERSION = 1 };

/**
 * Initialises libsodium and this library: to be called before anything else in this header, or the process ends. Safe to
 * call again, from any thread. ::OX_E_SYSTEM without randomness.
 */
OX_MUST_USE ox_status ox_init(void);

/* ---- AEADs (Wire.md section 5) ------------------------------------------------------------------------------ */

/** Numbers of the wire. */
typedef enum OX_CLOSED_ENUM ox_aead {
    OX_AEAD_NONE = 0,              /**< no encryption and no tag: only between addresses both ends trust */
    OX_AEAD_CHACHA20POLY1305 = 1,  /**< RFC 8439 */
    OX_AEAD_AES256GCM = 2,         /**< NIST SP 800-38D */
} ox_aead;

/** Whether this machine can run it, once ox_init() has looked. */
bool ox_aead_available(ox_aead aead);
/** Bytes of tag: 16, and 0 for ::OX_AEAD_NONE. */
uint32_t ox_aead_tag_bytes(ox_aead aead);

/** The two transport keys of a session, expanded for their AEAD. */
typedef struct ox_keys ox_keys;

/** Copies the keys into locked memory; the caller wipes its own copies. NULL without memory. The AEAD is available. */
ox_keys *ox_keys_create(ox_aead aead, const uint8_t send[OX_KEY_BYTES], const uint8_t receive[OX_KEY_BYTES]);
/** Wipes and frees. NULL is allowed. */
void ox_keys_destroy(ox_keys *keys);
ox_aead ox_keys_aead(const ox_keys *keys);

enum { OX_AEAD_JOBS_MAX = 64 };

/** One datagram to seal or to open. `from` and `to` are the same, or do not overlap. */
typedef struct ox_aead_job {
    uint64_t number;      /**< packet number */
    const uint8_t *aad;   /**< the datagram's header */
    const uint8_t *from;  /**< sealing: plaintext. Opening: ciphertext, the tag behind it */
    uint8_t *to;          /**< sealing: ciphertext, the tag behind it. Opening: plaintext */
    uint32_t len;         /**< of the plaintext */
    uint8_t aad_len;      /**< at most 16 */
    bool authentic;       /**< opening: the result. When false, `to` is unspecified and must not be used */
} ox_aead_job;

/** What a thread needs to run AEADs: the provider's state. Belongs to one thread. */
typedef struct ox_aead_engine ox_aead_engine;
/** NULL without memory. After ox_init(). */
ox_aead_engine *ox_aead_engine_create(void);
void ox_aead_engine_destroy(ox_aead_engine *engine);

/**
 * Who computes an AEAD here, chosen once in ox_init(): such as "ipsec-mb 1.3.0 AVX-512", or libsodium and why it is that, as in
 * "libsodium 1.0.18 (ipsec-mb is not installed)".
 */
const char *ox_aead_provider(ox_aead aead);
/**
 * Uses libsodium for everything from now on (or, with false, the chosen provider again): for comparisons, before any
 * engine or key is made.
 */
void ox_aead_force_libsodium(bool force);

/**
 * Seals 1 to ::OX_AEAD_JOBS_MAX datagrams. The nonce is the path id (32 bits, little-endian) followed by the packet number
 * (64 bits, little-endian); a (path, number) pair is used once in the life of a key. Whoever computes it, the bytes are
 * the same.
 */
void ox_keys_seal(ox_aead_engine *engine, const ox_keys *keys, uint32_t path, ox_aead_job *jobs, uint32_t count);
/** Opens 1 to ::OX_AEAD_JOBS_MAX datagrams: each job tells whether it is authentic. */
void ox_keys_open(ox_aead_engine *engine, const ox_keys *keys, uint32_t path, ox_aead_job *jobs, uint32_t count);

/* ---- keys of people ----------------------------------------------------------------------------------------- */

/** A static key pair, with what is derived from it once: the mac1 and cookie keys of messages sent to it. */
typedef struct ox_identity ox_identity;

/** Clamps and copies the private key into locked memory. NULL without memory, or for the all-zero key. After ox_init(). */
ox_identity *ox_identity_create(const uint8_t private_key[OX_KEY_BYTES]);
void ox_identity_destroy(ox_identity *identity);
const uint8_t *ox_identity_public(const ox_identity *identity);

/** OX_KEY_BYTES zero bytes of locked, guarded memory for a preshared key, or NULL. After ox_init(). */
uint8_t *ox_secret_create(void);
/** Wipes and frees. NULL is allowed. */
void ox_secret_destroy(uint8_t *secret);

/** Fresh random key bytes; `clamp` for an X25519 private key. */
void ox_key_random(uint8_t key[OX_KEY_BYTES], bool clamp);
/** Public from private. ::OX_E_FORMAT for the all-zero private key, which ox_identity_create() refuses too. */
OX_MUST_USE ox_status ox_key_public(const uint8_t private_key[OX_KEY_BYTES], uint8_t public_key[OX_KEY_BYTES]);
/** Equality in constant time. */
bool ox_key_equal(const uint8_t a[OX_KEY_BYTES], const uint8_t b[OX_KEY_BYTES]);
/** Overwrites with zeros in a way that the compiler keeps. */
void ox_wipe(void *bytes, size_t len);
void ox_random(void *bytes, size_t len);

/* ---- handshake (Wire.md section 4) -------------------------------------------------------------------------- */

/**
 * One handshake in progress, in either role. Initiator: _initiate, _read_response, _keys. Responder: _read_initiation,
 * _respond, _keys. A failed call leaves the object as it was before, so that a forged message cannot end a handshake.
 * _initiate and _read_initiation start the object over whatever came before; the others assert their place.
 */
typedef struct ox_handshake ox_handshake;

ox_handshake *ox_handshake_create(void);
void ox_handshake_destroy(ox_handshake *handshake);

/**
 * Writes an initiation to the holder of `remote_public` (its mac1 set, its mac2 zero; see ox_handshake_set_mac2()).
 *
 * @param index    chosen by the initiator; the response and a cookie reply carry it back.
 * @param payload  encrypted: `payload_len` at most OX_HANDSHAKE_PAYLOAD_MAX.
 * @param out      OX_HANDSHAKE_MAX bytes; `*out_len` is set.
 * @return ::OX_OK, or ::OX_E_FORMAT when `remote_public` is a point of low order.
 */
OX_MUST_USE ox_status ox_handshake_initiate(ox_handshake *handshake, const ox_identity *local,
                                            const uint8_t remote_public[OX_KEY_BYTES],
                                            const uint8_t psk[OX_KEY_BYTES], uint32_t index, const uint8_t *payload,
                                            size_t payload_len, uint8_t *out, size_t *out_len);

/**
 * Reads an initiation as its responder: afterwards `remote_public`, `index` and the payload are known, and authentic
 * as far as Noise IK's first message is (a replay is possible: check the timestamp).
 *
 * @param payload  OX_HANDSHAKE_PAYLOAD_MAX bytes; `*payload_len` is set.
 * @return ::OX_OK, ::OX_E_FORMAT (length, type, version), or ::OX_E_AUTH. mac1 is verified first.
 */
OX_MUST_USE ox_status ox_handshake_read_initiation(ox_handshake *handshake, const ox_identity *local,
                                                   const uint8_t *message, size_t len,
                                                   uint8_t remote_public[OX_KEY_BYTES], uint32_t *index,
                                                   uint8_t *payload, size_t *payload_len);

/** Writes the response and completes the handshake. `psk` is all zero when the peers share none. */
OX_MUST_USE ox_status ox_handshake_respond(ox_handshake *handshake, const uint8_t psk[OX_KEY_BYTES], uint32_t index,
                                           const uint8_t *payload, size_t payload_len, uint8_t *out, size_t *out_len);

/**
 * Reads the response as its initiator and completes the handshake. `*index` is the responder's. It travels in clear
 * and again inside the seal, and both must agree; the receiver index must be that of the initiation.
 * @return ::OX_OK, ::OX_E_FORMAT, or ::OX_E_AUTH (the initiation stays open: a later, true response completes it).
 */
OX_MUST_USE ox_status ox_handshake_read_response(ox_handshake *handshake, const ox_identity *local,
                                                 const uint8_t *message, size_t len, uint32_t *index, uint8_t *payload,
                                                 size_t *payload_len);

/**
 * The transport keys of a completed handshake (Noise Split()), NULL without memory. Asserts when not complete. They
 * can be taken once: the object is wiped, and ready for another handshake.
 */
ox_keys *ox_handshake_keys(ox_handshake *handshake, ox_aead aead);

/* ---- mac1, mac2 and cookies (Wire.md section 4.4) ----------------------------------------------------------- */

/** The receiver index in a response or cookie reply, or the sender index in an initiation. `len` >= 8. */
uint32_t ox_handshake_index(const uint8_t *message);

/**
 * Whether the datagram's length, version and reserved bytes fit its type, and its mac1 is right for messages sent to
 * `local`. Cheap. A cookie reply carries no mac1: it passes on its shape, and ox_cookie_read() authenticates it.
 * @return ::OX_PASS, ::OX_DROP_DATAGRAM_TYPE, or OX_DROP_HANDSHAKE_LENGTH, _VERSION (reserved bytes too) or _MAC1.
 */
OX_MUST_USE ox_verdict ox_handshake_check(const ox_identity *local, const uint8_t *message, size_t len);

/**
 * Issues and verifies cookies, without any state per initiator. The secret changes every two minutes, counted from the
 * first use, so that a cookie is accepted for two to four minutes. `now_ns` is any monotonic clock.
 */
typedef struct ox_cookie_jar ox_cookie_jar;

ox_cookie_jar *ox_cookie_jar_create(const ox_identity *identity);
void ox_cookie_jar_destroy(ox_cookie_jar *jar);
/**
 * Whether mac2 of a checked message was made with the cookie of `from` (address and port). Accepts the present and the
 * previous secret. False for a cookie reply.
 */
bool ox_cookie_valid(ox_cookie_jar *jar, uint64_t now_ns, const uint8_t *message, size_t len, const ox_address *from);
/** Writes the OX_COOKIE_REPLY_BYTES cookie reply to a checked initiation or response from `from`. */
void ox_cookie_reply(ox_cookie_jar *jar, uint64_t now_ns, const uint8_t *message, size_t len, const ox_address *from,
                     uint8_t out[OX_COOKIE_REPLY_BYTES]);
/**
 * Reads a cookie reply to `sent`, the message that this side sent last to the holder of `remote_public`.
 * @return ::OX_OK and the cookie, ::OX_E_FORMAT, or ::OX_E_AUTH.
 */
OX_MUST_USE ox_status ox_cookie_read(const uint8_t remote_public[OX_KEY_BYTES], const uint8_t *sent, size_t sent_len,
                                     const uint8_t *reply, size_t reply_len, uint8_t cookie[OX_COOKIE_BYTES]);
/** Sets mac2 of an initiation or response that is about to be sent. */
void ox_handshake_set_mac2(uint8_t *message, size_t len, const uint8_t cookie[OX_COOKIE_BYTES]);

#ifdef __cplusplus
}
#endif

#endif
