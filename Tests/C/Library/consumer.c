/* A program of somebody else: it knows only the installed headers and what pkg-config says. */
#include <oxcore/base.h>
#include <oxcore/crypto.h>

#include <stdio.h>
#include <string.h>

static int fail(const char *what) {
    fprintf(stderr, "consumer: %s\n", what);
    return 1;
}

int main(void) {
    if (ox_init() != OX_OK) return fail("ox_init failed");

    uint8_t there[OX_KEY_BYTES], back[OX_KEY_BYTES];
    ox_key_random(there, false);
    ox_key_random(back, false);
    ox_keys *client = ox_keys_create(OX_AEAD_CHACHA20POLY1305, there, back);
    ox_keys *relay = ox_keys_create(OX_AEAD_CHACHA20POLY1305, back, there);
    if (!client || !relay) return fail("no memory for keys");

    ox_aead_engine *engine = ox_aead_engine_create();
    if (!engine) return fail("no memory for an engine");

    static const uint8_t header[4] = {1, 2, 3, 4};
    const char greeting[] = "sealed in C";
    uint8_t data[sizeof greeting + OX_TAG_BYTES];
    memcpy(data, greeting, sizeof greeting);
    ox_aead_job job = {.number = 7, .aad = header, .from = data, .to = data, .len = sizeof greeting, .aad_len = sizeof header};
    ox_keys_seal(engine, client, 0, &job, 1);
    ox_keys_open(engine, relay, 0, &job, 1);
    if (!job.authentic) return fail("open failed");
    if (memcmp(data, greeting, sizeof greeting) != 0) return fail("open gave other bytes than seal took");

    ox_aead_engine_destroy(engine);
    ox_keys_destroy(client);
    ox_keys_destroy(relay);
    puts("consumer: sealed and opened a packet");
    return 0;
}
