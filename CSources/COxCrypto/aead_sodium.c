#include "aead.h"

#include <sodium.h>

_Static_assert(crypto_aead_chacha20poly1305_ietf_NPUBBYTES == OX_AEAD_NONCE_BYTES, "RFC 8439 nonce");
_Static_assert(crypto_aead_aes256gcm_NPUBBYTES == OX_AEAD_NONCE_BYTES, "SP 800-38D nonce");
_Static_assert(crypto_aead_chacha20poly1305_ietf_ABYTES == OX_TAG_BYTES, "RFC 8439 tag");
_Static_assert(crypto_aead_aes256gcm_ABYTES == OX_TAG_BYTES, "SP 800-38D tag");
_Static_assert(sizeof(crypto_aead_aes256gcm_state) <= OX_AEAD_KEY_ROOM, "an expanded key fits");

static const char *start(char name[OX_AEAD_NAME_MAX]) {
    strcpy(name, "libsodium ");
    strncat(name, sodium_version_string(), OX_AEAD_NAME_MAX / 4);
    return NULL;
}

static bool available(ox_aead aead) { return aead != OX_AEAD_AES256GCM || crypto_aead_aes256gcm_is_available() == 1; }

static size_t state_bytes(void) { return 0; }

static bool state_init(void *state) {
    (void)state;
    return true;
}

static void expand(ox_aead aead, const uint8_t bytes[OX_KEY_BYTES], ox_aead_key *key) {
    if (aead == OX_AEAD_AES256GCM) {
        (void)crypto_aead_aes256gcm_beforenm((void *)key->room, bytes); /* cannot fail where it is available */
    } else {
        memcpy(key->room, bytes, OX_KEY_BYTES);
    }
}

static void seal(void *state, ox_aead aead, const ox_aead_key *key, uint32_t path, ox_aead_job *jobs, uint32_t count) {
    (void)state;
    for (const ox_aead_job *job = jobs; job < jobs + count; job++) {
        uint8_t nonce[OX_AEAD_NONCE_BYTES];
        ox_aead_nonce(nonce, path, job->number);
        if (aead == OX_AEAD_AES256GCM) {
            (void)crypto_aead_aes256gcm_encrypt_detached_afternm(job->to, job->to + job->len, NULL, job->from, job->len,
                                                                 job->aad, job->aad_len, NULL, nonce,
                                                                 (const void *)key->room);
        } else {
            (void)crypto_aead_chacha20poly1305_ietf_encrypt_detached(job->to, job->to + job->len, NULL, job->from,
                                                                     job->len, job->aad, job->aad_len, NULL, nonce,
                                                                     key->room);
        }
    }
}

static void open(void *state, ox_aead aead, const ox_aead_key *key, uint32_t path, ox_aead_job *jobs, uint32_t count) {
    (void)state;
    for (ox_aead_job *job = jobs; job < jobs + count; job++) {
        uint8_t nonce[OX_AEAD_NONCE_BYTES];
        ox_aead_nonce(nonce, path, job->number);
        int refused;
        if (aead == OX_AEAD_AES256GCM) {
            refused = crypto_aead_aes256gcm_decrypt_detached_afternm(job->to, NULL, job->from, job->len,
                                                                     job->from + job->len, job->aad, job->aad_len,
                                                                     nonce, (const void *)key->room);
        } else {
            refused = crypto_aead_chacha20poly1305_ietf_decrypt_detached(job->to, NULL, job->from, job->len,
                                                                         job->from + job->len, job->aad, job->aad_len,
                                                                         nonce, key->room);
        }
        job->authentic = refused == 0;
    }
}

const ox_aead_backend ox_aead_sodium = {start, available, state_bytes, state_init, expand, seal, open};
