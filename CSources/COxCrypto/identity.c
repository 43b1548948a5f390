#include "noise.h"

#include <sodium.h>

/* sodium_init() says 1 when it has run before. Without it libsodium's allocator ends the process, and says nothing. */
static void assert_initialised(void) { OX_ASSERT(sodium_init() == 1 && "ox_init() comes first"); }

ox_identity *ox_identity_create(const uint8_t private_key[OX_KEY_BYTES]) {
    assert_initialised();
    if (sodium_is_zero(private_key, OX_KEY_BYTES)) return NULL;
    ox_identity *identity = sodium_malloc(sizeof *identity);
    if (identity == NULL) return NULL;
    memcpy(identity->private_key, private_key, OX_KEY_BYTES);
    //= RFC 7748 section 5
    identity->private_key[0] &= 248;
    identity->private_key[31] &= 127;
    identity->private_key[31] |= 64;
    if (ox_key_public(identity->private_key, identity->public_key) != OX_OK) {
        sodium_free(identity);
        return NULL;
    }
    ox_mac1_key(identity->public_key, identity->mac1_key);
    ox_cookie_key(identity->public_key, identity->cookie_key);
    (void)sodium_mprotect_readonly(identity); /* a second line of defence: the address is guarded anyway */
    return identity;
}

void ox_identity_destroy(ox_identity *identity) { sodium_free(identity); /* wipes; NULL is allowed */ }

const uint8_t *ox_identity_public(const ox_identity *identity) { return identity->public_key; }

uint8_t *ox_secret_create(void) {
    assert_initialised();
    uint8_t *secret = sodium_malloc(OX_KEY_BYTES);
    if (secret != NULL) sodium_memzero(secret, OX_KEY_BYTES);
    return secret;
}

void ox_secret_destroy(uint8_t *secret) { sodium_free(secret); }
