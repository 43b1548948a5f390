#include "noise.h"

#include <sodium.h>

enum { HASHLEN = OX_NOISE_HASH_BYTES, BLOCKLEN = 128, NONCE_BYTES = 12 };
static const char PROTOCOL_NAME[] = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2b";
_Static_assert(sizeof PROTOCOL_NAME - 1 <= HASHLEN, "the name is padded, not hashed");

typedef crypto_generichash_blake2b_state blake2b;

static void hash_two(uint8_t out[HASHLEN], const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len) {
    blake2b state;
    (void)crypto_generichash_blake2b_init(&state, NULL, 0, HASHLEN);
    (void)crypto_generichash_blake2b_update(&state, a, a_len);
    (void)crypto_generichash_blake2b_update(&state, b, b_len);
    (void)crypto_generichash_blake2b_final(&state, out, HASHLEN);
    sodium_memzero(&state, sizeof state);
}

/** HMAC (RFC 2104) over unkeyed BLAKE2b, as Noise asks, of `data`. `out` may be `data`. */
static void hmac(uint8_t out[HASHLEN], const uint8_t key[HASHLEN], const uint8_t *data, size_t len) {
    uint8_t pad[BLOCKLEN];
    uint8_t inner[HASHLEN];
    memset(pad, 0x36, sizeof pad);
    for (size_t i = 0; i < HASHLEN; i++) pad[i] ^= key[i];
    hash_two(inner, pad, sizeof pad, data, len);
    for (size_t i = 0; i < sizeof pad; i++) pad[i] ^= 0x36 ^ 0x5c;
    hash_two(out, pad, sizeof pad, inner, sizeof inner);
    sodium_memzero(pad, sizeof pad);
    sodium_memzero(inner, sizeof inner);
}

//= Noise section 4.3, HKDF(chaining_key, input_key_material, num_outputs)
static void hkdf(const uint8_t ck[HASHLEN], const uint8_t *input, size_t len, uint8_t (*outputs)[HASHLEN], int count) {
    uint8_t key[HASHLEN];
    uint8_t block[HASHLEN + 1];
    hmac(key, ck, input, len);
    block[0] = 1;
    hmac(outputs[0], key, block, 1);
    for (int i = 1; i < count; i++) {
        memcpy(block, outputs[i - 1], HASHLEN);
        block[HASHLEN] = (uint8_t)(i + 1);
        hmac(outputs[i], key, block, sizeof block);
    }
    sodium_memzero(key, sizeof key);
    sodium_memzero(block, sizeof block);
}

static void initialize_key(ox_noise *noise, const uint8_t key[HASHLEN]) {
    memcpy(noise->k, key, OX_KEY_BYTES);
    noise->n = 0;
}

static void mix_hash(ox_noise *noise, const uint8_t *data, size_t len) {
    hash_two(noise->h, noise->h, HASHLEN, data, len);
}

static void mix_key(ox_noise *noise, const uint8_t input[OX_KEY_BYTES]) {
    uint8_t outputs[2][HASHLEN];
    hkdf(noise->ck, input, OX_KEY_BYTES, outputs, 2);
    memcpy(noise->ck, outputs[0], HASHLEN);
    initialize_key(noise, outputs[1]);
    sodium_memzero(outputs, sizeof outputs);
}

static void mix_key_and_hash(ox_noise *noise, const uint8_t psk[OX_KEY_BYTES]) {
    uint8_t outputs[3][HASHLEN];
    hkdf(noise->ck, psk, OX_KEY_BYTES, outputs, 3);
    memcpy(noise->ck, outputs[0], HASHLEN);
    mix_hash(noise, outputs[1], HASHLEN);
    initialize_key(noise, outputs[2]);
    sodium_memzero(outputs, sizeof outputs);
}

/** MixKey(DH()). False for a result of all zeros, which a point of low order gives and libsodium refuses. */
static bool mix_dh(ox_noise *noise, const uint8_t private_key[OX_KEY_BYTES], const uint8_t public_key[OX_KEY_BYTES]) {
    uint8_t shared[OX_KEY_BYTES];
    const bool contributed = crypto_scalarmult_curve25519(shared, private_key, public_key) == 0;
    if (contributed) mix_key(noise, shared);
    sodium_memzero(shared, sizeof shared);
    return contributed;
}

/** The `e` token. In a handshake with a psk the ephemeral is mixed into the key as well (Noise section 9.2). */
static void mix_ephemeral(ox_noise *noise, const uint8_t public_key[OX_KEY_BYTES]) {
    mix_hash(noise, public_key, OX_KEY_BYTES);
    mix_key(noise, public_key);
}

//= Noise section 12.3
//# 32 bits of zeros followed by little-endian encoding of n
static void next_nonce(ox_noise *noise, uint8_t nonce[NONCE_BYTES]) {
    memset(nonce, 0, 4);
    ox_store_le64(nonce + 4, noise->n++);
}

/** EncryptAndHash() of `len` bytes into `len` + 16. */
static void encrypt_and_hash(ox_noise *noise, const uint8_t *plain, size_t len, uint8_t *out) {
    uint8_t nonce[NONCE_BYTES];
    next_nonce(noise, nonce);
    (void)crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain, len, noise->h, HASHLEN, NULL, nonce, noise->k);
    mix_hash(noise, out, len + OX_TAG_BYTES);
}

/** DecryptAndHash() of `len` bytes, tag included, into `len` - 16. */
static bool decrypt_and_hash(ox_noise *noise, const uint8_t *sealed, size_t len, uint8_t *plain) {
    uint8_t nonce[NONCE_BYTES];
    next_nonce(noise, nonce);
    if (crypto_aead_chacha20poly1305_ietf_decrypt(plain, NULL, NULL, sealed, len, noise->h, HASHLEN, nonce,
                                                  noise->k) != 0)
        return false;
    mix_hash(noise, sealed, len);
    return true;
}

void ox_noise_begin(ox_noise *noise, const uint8_t *prologue, size_t prologue_len,
                    const uint8_t responder_public[OX_KEY_BYTES]) {
    memset(noise->h, 0, HASHLEN);
    memcpy(noise->h, PROTOCOL_NAME, sizeof PROTOCOL_NAME - 1);
    memcpy(noise->ck, noise->h, HASHLEN);
    memset(noise->k, 0, sizeof noise->k);
    noise->n = 0;
    mix_hash(noise, prologue, prologue_len);
    mix_hash(noise, responder_public, OX_KEY_BYTES);
}

ox_status ox_noise_write_first(ox_noise *noise, const uint8_t private_key[OX_KEY_BYTES],
                               const uint8_t public_key[OX_KEY_BYTES], const uint8_t *payload, size_t payload_len,
                               uint8_t *out) {
    if (ox_key_public(noise->e, out) != OX_OK) return OX_E_FORMAT;
    mix_ephemeral(noise, out);
    if (!mix_dh(noise, noise->e, noise->rs)) return OX_E_FORMAT;
    encrypt_and_hash(noise, public_key, OX_KEY_BYTES, out + OX_KEY_BYTES);
    if (!mix_dh(noise, private_key, noise->rs)) return OX_E_FORMAT;
    encrypt_and_hash(noise, payload, payload_len, out + 2 * OX_KEY_BYTES + OX_TAG_BYTES);
    return OX_OK;
}

ox_status ox_noise_read_first(ox_noise *noise, const uint8_t private_key[OX_KEY_BYTES], const uint8_t *message,
                              size_t len, uint8_t *payload) {
    OX_ASSERT(len >= OX_NOISE_FIRST_OVERHEAD);
    const size_t head = 2 * OX_KEY_BYTES + OX_TAG_BYTES;
    memcpy(noise->re, message, OX_KEY_BYTES);
    mix_ephemeral(noise, noise->re);
    if (!mix_dh(noise, private_key, noise->re)) return OX_E_AUTH;
    if (!decrypt_and_hash(noise, message + OX_KEY_BYTES, OX_KEY_BYTES + OX_TAG_BYTES, noise->rs)) return OX_E_AUTH;
    if (!mix_dh(noise, private_key, noise->rs)) return OX_E_AUTH;
    return decrypt_and_hash(noise, message + head, len - head, payload) ? OX_OK : OX_E_AUTH;
}

ox_status ox_noise_write_second(ox_noise *noise, const uint8_t psk[OX_KEY_BYTES], const uint8_t *payload,
                                size_t payload_len, uint8_t *out) {
    if (ox_key_public(noise->e, out) != OX_OK) return OX_E_FORMAT;
    mix_ephemeral(noise, out);
    if (!mix_dh(noise, noise->e, noise->re)) return OX_E_AUTH;
    if (!mix_dh(noise, noise->e, noise->rs)) return OX_E_AUTH;
    mix_key_and_hash(noise, psk);
    encrypt_and_hash(noise, payload, payload_len, out + OX_KEY_BYTES);
    return OX_OK;
}

ox_status ox_noise_read_second(ox_noise *noise, const uint8_t private_key[OX_KEY_BYTES],
                               const uint8_t psk[OX_KEY_BYTES], const uint8_t *message, size_t len,
                               uint8_t *payload) {
    OX_ASSERT(len >= OX_NOISE_SECOND_OVERHEAD);
    memcpy(noise->re, message, OX_KEY_BYTES);
    mix_ephemeral(noise, noise->re);
    if (!mix_dh(noise, noise->e, noise->re)) return OX_E_AUTH;
    if (!mix_dh(noise, private_key, noise->re)) return OX_E_AUTH;
    mix_key_and_hash(noise, psk);
    return decrypt_and_hash(noise, message + OX_KEY_BYTES, len - OX_KEY_BYTES, payload) ? OX_OK : OX_E_AUTH;
}

void ox_noise_split(const ox_noise *noise, uint8_t first[OX_KEY_BYTES], uint8_t second[OX_KEY_BYTES]) {
    uint8_t outputs[2][HASHLEN];
    hkdf(noise->ck, NULL, 0, outputs, 2);
    memcpy(first, outputs[0], OX_KEY_BYTES);
    memcpy(second, outputs[1], OX_KEY_BYTES);
    sodium_memzero(outputs, sizeof outputs);
}
