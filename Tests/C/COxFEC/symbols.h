/* Symbols that are told from each other by what is in them. */
#ifndef TESTS_COXFEC_SYMBOLS_H
#define TESTS_COXFEC_SYMBOLS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "oxcore/packet.h"
#include "oxcore/repair.h"

#define MS ((uint64_t)1000000)

static inline uint32_t symbol_len(uint64_t number) { return 1 + (uint32_t)(number * 7919 % 300); }

static inline void symbol_bytes(uint64_t number, uint8_t *bytes) {
    for (uint32_t i = 0; i < symbol_len(number); i++) bytes[i] = (uint8_t)(number * 31 + i * (number | 1) + i / 256 + number / 256 * 7);
}

static inline ox_repair_history *make_history(void) { return ox_repair_history_init(ox_reserve(ox_repair_history_bytes())); }
static inline void end_history(ox_repair_history *h) { ox_release(h, ox_repair_history_bytes()); }

/* Number `number`, sent at so many milliseconds, one flow or (0) none. */
static inline void note_symbol(ox_repair_history *h, uint64_t number, uint32_t flow, uint64_t ms, uint64_t keep_ms) {
    uint8_t bytes[OX_REPAIR_CONTENT_MAX];
    symbol_bytes(number, bytes);
    ox_repair_symbol s = {.number = number, .sent_ns = ms * MS, .content = bytes, .len = (uint16_t)symbol_len(number),
                          .car = OX_REPAIR_NO_CAR, .class_ = 1, .flow_count = flow != 0, .windowed = true, .flows = {flow}};
    ox_repair_history_note(h, &s, keep_ms * MS);
}

static inline void assert_symbol(const ox_repair_symbol *s, uint64_t number) {
    uint8_t bytes[OX_REPAIR_CONTENT_MAX];
    symbol_bytes(number, bytes);
    assert_int_equal(number, s->number);
    assert_int_equal(symbol_len(number), s->len);
    assert_int_equal(OX_REPAIR_NO_CAR, s->car);
    assert_memory_equal(bytes, s->content, s->len);
}

#endif
