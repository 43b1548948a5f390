#include "oxcore/crypto.h"

#include <sodium.h>

_Static_assert(crypto_scalarmult_curve25519_BYTES == OX_KEY_BYTES, "X25519 keys");

void ox_key_random(uint8_t key[OX_KEY_BYTES], bool clamp) {
    randombytes_buf(key, OX_KEY_BYTES);
    if (!clamp) return;
    //= RFC 7748 section 5
    key[0] &= 248;
    key[31] &= 127;
    key[31] |= 64;
}

ox_status ox_key_public(const uint8_t private_key[OX_KEY_BYTES], uint8_t public_key[OX_KEY_BYTES]) {
    if (sodium_is_zero(private_key, OX_KEY_BYTES)) return OX_E_FORMAT;
    return crypto_scalarmult_curve25519_base(public_key, private_key) == 0 ? OX_OK : OX_E_FORMAT;
}

bool ox_key_equal(const uint8_t a[OX_KEY_BYTES], const uint8_t b[OX_KEY_BYTES]) {
    return sodium_memcmp(a, b, OX_KEY_BYTES) == 0;
}

void ox_wipe(void *bytes, size_t len) { sodium_memzero(bytes, len); }

void ox_random(void *bytes, size_t len) { randombytes_buf(bytes, len); }
