#include "noise.h"

#include <sodium.h>
#include <stdalign.h>

enum { NONCE_BYTES = 12 };
_Static_assert(crypto_aead_chacha20poly1305_ietf_NPUBBYTES == NONCE_BYTES, "RFC 8439 nonce");
_Static_assert(crypto_aead_aes256gcm_NPUBBYTES == NONCE_BYTES, "SP 800-38D nonce");
_Static_assert(crypto_aead_chacha20poly1305_ietf_ABYTES == OX_TAG_BYTES, "RFC 8439 tag");
_Static_assert(crypto_aead_aes256gcm_ABYTES == OX_TAG_BYTES, "SP 800-38D tag");

/** One direction: the key itself, or its AES schedule and GHASH tables. */
typedef union direction {
    uint8_t chacha20[OX_KEY_BYTES];
    alignas(16) crypto_aead_aes256gcm_state aes256;
} direction;

struct ox_keys {
    direction send;
    direction receive;
    ox_aead aead;
};
/* sodium_malloc() ends an object at the end of a page, so that an object whose size is a multiple of 16 starts on a
 * multiple of 16; the alignment of the AES state makes it one. */
_Static_assert(sizeof(ox_keys) % 16 == 0, "aligned in guarded memory");

bool ox_aead_available(ox_aead aead) {
    switch (aead) {
    case OX_AEAD_NONE:
    case OX_AEAD_CHACHA20POLY1305: return true;
    case OX_AEAD_AES256GCM: return crypto_aead_aes256gcm_is_available() == 1;
    }
    return false;
}

uint32_t ox_aead_tag_bytes(ox_aead aead) { return aead == OX_AEAD_NONE ? 0 : OX_TAG_BYTES; }

static void expand(direction *to, ox_aead aead, const uint8_t key[OX_KEY_BYTES]) {
    if (aead == OX_AEAD_AES256GCM) {
        (void)crypto_aead_aes256gcm_beforenm(&to->aes256, key); /* cannot fail where it is available */
    } else if (aead == OX_AEAD_CHACHA20POLY1305) {
        memcpy(to->chacha20, key, OX_KEY_BYTES);
    }
}

ox_keys *ox_keys_create(ox_aead aead, const uint8_t send[OX_KEY_BYTES], const uint8_t receive[OX_KEY_BYTES]) {
    OX_ASSERT(ox_aead_available(aead));
    ox_keys *keys = sodium_malloc(sizeof *keys);
    if (keys == NULL) return NULL;
    OX_ASSERT((uintptr_t)keys % alignof(ox_keys) == 0);
    sodium_memzero(keys, sizeof *keys);
    keys->aead = aead;
    expand(&keys->send, aead, send);
    expand(&keys->receive, aead, receive);
    (void)sodium_mprotect_readonly(keys); /* a second line of defence: the address is guarded anyway */
    return keys;
}

void ox_keys_destroy(ox_keys *keys) { sodium_free(keys); /* wipes; NULL is allowed */ }

ox_aead ox_keys_aead(const ox_keys *keys) { return keys->aead; }

static void write_nonce(uint8_t nonce[NONCE_BYTES], uint32_t path, uint64_t number) {
    ox_store_le32(nonce, path);
    ox_store_le64(nonce + 4, number);
}

void ox_keys_seal(const ox_keys *keys, uint32_t path, uint64_t number, const uint8_t *aad, size_t aad_len,
                  uint8_t *data, size_t len) {
    uint8_t nonce[NONCE_BYTES];
    write_nonce(nonce, path, number);
    switch (keys->aead) {
    case OX_AEAD_NONE: break;
    case OX_AEAD_CHACHA20POLY1305:
        (void)crypto_aead_chacha20poly1305_ietf_encrypt_detached(data, data + len, NULL, data, len, aad, aad_len, NULL,
                                                                 nonce, keys->send.chacha20);
        break;
    case OX_AEAD_AES256GCM:
        (void)crypto_aead_aes256gcm_encrypt_detached_afternm(data, data + len, NULL, data, len, aad, aad_len, NULL,
                                                             nonce, &keys->send.aes256);
        break;
    }
}

ox_status ox_keys_open(const ox_keys *keys, uint32_t path, uint64_t number, const uint8_t *aad, size_t aad_len,
                       uint8_t *data, size_t len) {
    uint8_t nonce[NONCE_BYTES];
    write_nonce(nonce, path, number);
    int refused = 0;
    switch (keys->aead) {
    case OX_AEAD_NONE: break;
    case OX_AEAD_CHACHA20POLY1305:
        refused = crypto_aead_chacha20poly1305_ietf_decrypt_detached(data, NULL, data, len, data + len, aad, aad_len,
                                                                     nonce, keys->receive.chacha20);
        break;
    case OX_AEAD_AES256GCM:
        refused = crypto_aead_aes256gcm_decrypt_detached_afternm(data, NULL, data, len, data + len, aad, aad_len,
                                                                 nonce, &keys->receive.aes256);
        break;
    }
    return refused == 0 ? OX_OK : OX_E_AUTH;
}
