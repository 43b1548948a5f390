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

    static const uint8_t header[4] = {1, 2, 3, 4};
    const char greeting[] = "sealed in C";
    uint8_t data[sizeof greeting + OX_TAG_BYTES];
    memcpy(data, greeting, sizeof greeting);
    ox_keys_seal(client, 0, 7, header, sizeof header, data, sizeof greeting);
    if (ox_keys_open(relay, 0, 7, header, sizeof header, data, sizeof greeting) != OX_OK) return fail("open failed");
    if (memcmp(data, greeting, sizeof greeting) != 0) return fail("open gave other bytes than seal took");

    ox_keys_destroy(client);
    ox_keys_destroy(relay);
    puts("consumer: sealed and opened a packet");
    return 0;
}
