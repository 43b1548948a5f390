#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/units.h"

/* cmocka's assert_float_equal casts the first operand of an expression to float. */
static void assert_near(double got, double expected, double tolerance) {
    if (!(got >= expected - tolerance && got <= expected + tolerance)) fail_msg("%.9g is not %.9g", got, expected);
}

typedef const char *parser(const char *text, uint64_t *value);

typedef struct accepted {
    const char *text;
    uint64_t value;
} accepted;

static void accepts(parser *parse, const accepted *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint64_t value = 0;
        const char *problem = parse(cases[i].text, &value);
        if (problem != NULL) fail_msg("\"%s\": %s", cases[i].text, problem);
        assert_int_equal(value, cases[i].value);
    }
}

static void refuses(parser *parse, const char *const *texts, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint64_t value = 42;
        if (parse(texts[i], &value) == NULL) fail_msg("\"%s\" was accepted", texts[i]);
        assert_int_equal(value, 42);
    }
}

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void durations(void **state) {
    (void)state;
    static const accepted good[] = {
        {"20ms", 20000000}, {"500us", 500000}, {"1.5s", 1500000000}, {"250ns", 250}, {"0", 0},
        {"0ms", 0},         {"2MIN", 120000000000}, {".5ms", 500000}, {"3sec", 3000000000},
    };
    static const char *const bad[] = {
        "", "20", "ms", "20 ms", "-1ms", "+1ms", "1.2.3ms", "0x10ms", "infs", "nans", "1e3ms", "20mss", "1h", ".ms",
        "99999999999999s",
    };
    accepts(lab_parse_duration, good, COUNT_OF(good));
    refuses(lab_parse_duration, bad, COUNT_OF(bad));
}

static void rates(void **state) {
    (void)state;
    static const accepted good[] = {
        {"20mbit", 20000000}, {"1gbit", 1000000000}, {"1Gbit", 1000000000}, {"64kbit", 64000}, {"500bit", 500},
        {"2.5mbps", 20000000}, {"1bps", 8}, {"1000gbit", 1000000000000},
    };
    static const char *const bad[] = {"", "20", "0mbit", "0.1bit", "20mb", "mbit", "20mbits", "1001gbit", "-5mbit"};
    accepts(lab_parse_rate, good, COUNT_OF(good));
    refuses(lab_parse_rate, bad, COUNT_OF(bad));
}

static void sizes(void **state) {
    (void)state;
    static const accepted good[] = {{"1500", 1500}, {"1500b", 1500}, {"64kB", 65536}, {"64k", 65536}, {"1mb", 1048576}};
    static const char *const bad[] = {"", "kb", "64kbit", "-1", "1 kb", "1099511627777b"};
    accepts(lab_parse_size, good, COUNT_OF(good));
    refuses(lab_parse_size, bad, COUNT_OF(bad));
}

static void probabilities(void **state) {
    (void)state;
    static const struct {
        const char *text;
        double value;
    } good[] = {{"1%", 0.01}, {"0.01", 0.01}, {"100%", 1}, {"1", 1}, {"0", 0}, {"0%", 0}, {"2.5%", 0.025}};
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        double value = -1;
        assert_null(lab_parse_probability(good[i].text, &value));
        assert_near(value, good[i].value, 1e-12);
    }
    static const char *const bad[] = {"", "%", "101%", "1.01", "-1%", "1%%", "one"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        double value = -1;
        assert_non_null(lab_parse_probability(bad[i], &value));
        assert_near(value, -1, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations),
        cmocka_unit_test(rates),
        cmocka_unit_test(sizes),
        cmocka_unit_test(probabilities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
