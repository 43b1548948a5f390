#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "CSources/COxROHC/state.h"

/* Both sides of every limit: what is written is read again, in as many octets as are promised. */
static void values_return(void **state) {
    (void)state;
    static const struct {
        uint32_t value, octets;
    } cases[] = {{0, 1},        {0x7F, 1},      {0x80, 2},       {0x3FFF, 2},
                 {0x4000, 3},   {0x1FFFFF, 3},  {0x200000, 4},   {0x1FFFFFFF, 4}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t octets[4];
        const uint32_t count = rohc_sdvl_bytes_of(cases[i].value);
        assert_int_equal(count, cases[i].octets);
        const uint32_t bits = count == 4 ? 29 : 7 * count;
        assert_int_equal(rohc_sdvl_bytes(bits), count);
        rohc_writer writer = {.at = octets, .end = octets + count};
        rohc_sdvl_write(&writer, cases[i].value, bits);
        assert_false(writer.full);
        assert_ptr_equal(writer.at, writer.end);
        rohc_reader reader = {.at = octets, .end = octets + count};
        uint32_t carried;
        assert_int_equal(rohc_sdvl_read(&reader, &carried), cases[i].value);
        assert_int_equal(carried, bits);
        assert_false(reader.short_);
        for (uint32_t cut = 0; cut < count; cut++) {
            reader = (rohc_reader){.at = octets, .end = octets + cut};
            (void)rohc_sdvl_read(&reader, NULL);
            assert_true(reader.short_);
        }
    }
    assert_int_equal(rohc_sdvl_bytes_of(0x20000000), 0);
    assert_int_equal(rohc_sdvl_bytes(30), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(values_return)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
