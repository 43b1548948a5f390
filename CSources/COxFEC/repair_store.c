/**
 * @file  The receiver's half: symbols that came, and combinations of those that did not.
 *
 * The combinations are kept in reduced row echelon form: each row has a column of its own, its pivot, with the coefficient 1 and
 * not in any other row. Columns are symbols that are missing. A row in which only the pivot is left is a symbol.
 */
#include "repair_symbol.h"

#include "oxcore/rs.h"

enum {
    KEPT = 512,    /**< symbols that are kept, by number; a power of two */
    HORIZON = 384, /**< numbers below the newest that are still missed */
    ROWS = 64,
    COLUMNS = 64,
};
OX_STATIC_ASSERT((int)HORIZON < (int)KEPT && (int)HORIZON > (int)OX_REPAIR_SPAN_MAX, "what is missed has a place");
OX_STATIC_ASSERT(ROWS == 64 && COLUMNS == 64, "sets of them are words");

typedef struct row {
    uint8_t factors[COLUMNS];
    uint32_t pivot;
    uint32_t len;
} row;

struct ox_repair_store {
    uint64_t given_up;
    uint64_t rows_used;    /**< bit i: row i */
    uint64_t columns_used;
    uint64_t columns_here; /**< those that arrived, and were not kept */
    bool changed;          /**< a row did, since none was found to be solved: each arrival asks */
    uint64_t missing[COLUMNS]; /**< number of the symbol */
    row rows[ROWS];
    uint64_t kept[KEPT];   /**< number plus one of the symbol in the slot; 0 for none */
    uint8_t sums[ROWS][OX_REPAIR_SLOT_BYTES];
    uint8_t slots[KEPT][OX_REPAIR_SLOT_BYTES];
};

size_t ox_repair_store_bytes(void) { return sizeof(ox_repair_store); }
ox_repair_store *ox_repair_store_init(void *memory) { return memory; }
uint64_t ox_repair_store_given_up(const ox_repair_store *store) { return store->given_up; }

uint8_t ox_repair_coefficient(uint8_t seed, uint64_t number) {
    return ox_gf_inverse((uint8_t)((OX_REPAIR_SPAN_MAX + seed % 64) ^ (number % OX_REPAIR_SPAN_MAX)));
}

static uint64_t bit(uint32_t index) { return (uint64_t)1 << index; }
static uint32_t lowest(uint64_t bits) { return (uint32_t)__builtin_ctzll(bits); }

/* ---- rows --------------------------------------------------------------------------------------------------- */

/** A row becomes at least so long. */
static void lengthen(ox_repair_store *store, uint32_t index, uint32_t len) {
    row *r = &store->rows[index];
    if (len <= r->len) return;
    memset(store->sums[index] + r->len, 0, len - r->len);
    r->len = len;
}

/** Adds `factor` times row `from` to row `to`. */
static void add_row(ox_repair_store *store, uint32_t to, uint32_t from, uint8_t factor) {
    if (factor == 0) return;
    store->changed = true;
    lengthen(store, to, store->rows[from].len);
    ox_gf_multiply_add(store->rows[to].factors, store->rows[from].factors, factor, COLUMNS);
    ox_gf_multiply_add(store->sums[to], store->sums[from], factor, store->rows[from].len);
}

/** Which columns are in a row. */
static uint64_t columns_of(const row *r) {
    uint64_t columns = 0;
    for (uint32_t i = 0; i < COLUMNS; i++) columns |= (uint64_t)(r->factors[i] != 0) << i;
    return columns;
}

/** Makes one of the row's columns its pivot: 1 there, and 0 in all others. False when it has no column. */
static bool settle_row(ox_repair_store *store, uint32_t index) {
    row *r = &store->rows[index];
    uint64_t columns = columns_of(r);
    if (columns == 0) return false;
    store->changed = true;
    r->pivot = lowest(columns);
    uint8_t scale = ox_gf_inverse(r->factors[r->pivot]);
    ox_gf_multiply_add(r->factors, r->factors, scale ^ 1, COLUMNS);
    ox_gf_multiply_add(store->sums[index], store->sums[index], scale ^ 1, r->len);
    for (uint64_t others = store->rows_used & ~bit(index); others != 0; others &= others - 1)
        add_row(store, lowest(others), index, store->rows[lowest(others)].factors[r->pivot]);
    return true;
}

/* ---- columns ------------------------------------------------------------------------------------------------ */

/** The column of a missing symbol, or ::COLUMNS. */
static uint32_t find_column(const ox_repair_store *store, uint64_t number) {
    for (uint64_t columns = store->columns_used; columns != 0; columns &= columns - 1)
        if (store->missing[lowest(columns)] == number) return lowest(columns);
    return COLUMNS;
}

/** Columns that are in no row any more are no more missed: nothing says anything of them. */
static void forget_columns(ox_repair_store *store) {
    uint64_t columns = 0;
    for (uint64_t rows = store->rows_used; rows != 0; rows &= rows - 1) columns |= columns_of(&store->rows[lowest(rows)]);
    store->given_up += (uint64_t)__builtin_popcountll(store->columns_used & ~columns & ~store->columns_here);
    store->columns_used &= columns;
}

/** A symbol is missed no longer, and with it goes what one row says. */
static void give_up(ox_repair_store *store, uint32_t column) {
    uint32_t chosen = ROWS;
    for (uint64_t rows = store->rows_used; rows != 0; rows &= rows - 1) {
        uint32_t index = lowest(rows);
        if (store->rows[index].factors[column] == 0) continue;
        if (chosen == ROWS || store->rows[index].pivot == column) chosen = index;
    }
    if (chosen != ROWS) {
        uint8_t scale = ox_gf_inverse(store->rows[chosen].factors[column]);
        store->rows_used &= ~bit(chosen);
        for (uint64_t rows = store->rows_used; rows != 0; rows &= rows - 1)
            add_row(store, lowest(rows), chosen, ox_gf_multiply(store->rows[lowest(rows)].factors[column], scale));
    }
    forget_columns(store);
}

static uint32_t oldest_column(const ox_repair_store *store) {
    uint32_t oldest = lowest(store->columns_used);
    for (uint64_t columns = store->columns_used; columns != 0; columns &= columns - 1)
        if (store->missing[lowest(columns)] < store->missing[oldest]) oldest = lowest(columns);
    return oldest;
}

static void give_up_old(ox_repair_store *store, uint64_t next) {
    while (store->columns_used != 0) {
        uint32_t oldest = oldest_column(store);
        if (store->missing[oldest] + HORIZON >= next) return;
        give_up(store, oldest);
    }
}

/* ---- symbols ------------------------------------------------------------------------------------------------ */

static const uint8_t *kept(const ox_repair_store *store, uint64_t number) {
    return store->kept[number % KEPT] == number + 1 ? store->slots[number % KEPT] : NULL;
}

/** A missing symbol is there: it leaves all rows. One that is shorter is no sum with it in, and goes. */
static void substitute(ox_repair_store *store, uint32_t column, const uint8_t *slot) {
    uint32_t len = OX_REPAIR_HEAD_BYTES + ox_repair_symbol_len(slot), pivot_of = ROWS;
    bool forged = false;
    for (uint64_t rows = store->rows_used; rows != 0; rows &= rows - 1) {
        uint32_t index = lowest(rows);
        row *r = &store->rows[index];
        if (r->factors[column] == 0) continue;
        if (r->len < len) {
            store->rows_used &= ~bit(index);
            forged = true;
            continue;
        }
        if (r->pivot == column) pivot_of = index;
        ox_gf_multiply_add(store->sums[index], slot, r->factors[column], len);
        r->factors[column] = 0;
        store->changed = true;
    }
    store->columns_used &= ~bit(column);
    if (pivot_of != ROWS && !settle_row(store, pivot_of)) store->rows_used &= ~bit(pivot_of);
    if (forged) forget_columns(store);
}

void ox_repair_store_keep(ox_repair_store *store, uint64_t number, uint8_t car, const uint8_t *content, size_t len) {
    uint64_t *at = &store->kept[number % KEPT];
    if (len > OX_REPAIR_CONTENT_MAX || *at > number) return;
    *at = number + 1;
    uint8_t *slot = store->slots[number % KEPT];
    ox_repair_symbol_write(slot, car, content, len);
    if (store->columns_used == 0) return;
    uint32_t column = find_column(store, number);
    if (column != COLUMNS) substitute(store, column, slot);
}

/* ---- combinations ------------------------------------------------------------------------------------------- */

static bool covers(const ox_repair_window *window, uint32_t i) { return (window->map[i / 64] >> i % 64 & 1) != 0; }

/** Whether anything can follow from the combination; if not, or nothing new, why. */
static ox_repair_outcome judge(const ox_repair_store *store, const ox_repair_window *window, uint64_t next) {
    uint32_t missing = 0;
    bool late = false;
    for (uint32_t i = 0; i < OX_REPAIR_SPAN_MAX; i++) {
        if (!covers(window, i)) continue;
        uint64_t number = window->first + i;
        const uint8_t *slot = kept(store, number);
        if (slot != NULL && OX_REPAIR_HEAD_BYTES + ox_repair_symbol_len(slot) > window->len) return OX_REPAIR_WRONG;
        late |= slot == NULL && number + HORIZON < next;
        missing += slot == NULL;
    }
    if (missing == 0 || missing > COLUMNS) return OX_REPAIR_UNNEEDED;
    return late ? OX_REPAIR_TOO_LATE : OX_REPAIR_TAKEN;
}

/** Room for the columns of one combination and for its row: what is oldest goes. */
static void make_room(ox_repair_store *store, const ox_repair_window *window) {
    if (~store->rows_used == 0) give_up(store, oldest_column(store));
    for (;;) {
        uint32_t fresh = 0;
        for (uint32_t i = 0; i < OX_REPAIR_SPAN_MAX; i++)
            fresh += covers(window, i) && kept(store, window->first + i) == NULL &&
                     find_column(store, window->first + i) == COLUMNS;
        if (fresh <= COLUMNS - (uint32_t)__builtin_popcountll(store->columns_used)) return;
        give_up(store, oldest_column(store));
    }
}

/** The row of a combination, what is known taken out of it. */
static uint32_t begin_row(ox_repair_store *store, const ox_repair_window *window, const uint64_t *arrived) {
    uint32_t index = lowest(~store->rows_used);
    row *r = &store->rows[index];
    *r = (row){.len = window->len};
    memcpy(store->sums[index], window->parity, window->len);
    for (uint32_t i = 0; i < OX_REPAIR_SPAN_MAX; i++) {
        if (!covers(window, i)) continue;
        uint64_t number = window->first + i;
        uint8_t factor = ox_repair_coefficient(window->seed, number);
        const uint8_t *slot = kept(store, number);
        if (slot != NULL) {
            ox_gf_multiply_add(store->sums[index], slot, factor, OX_REPAIR_HEAD_BYTES + ox_repair_symbol_len(slot));
            continue;
        }
        uint32_t column = find_column(store, number);
        if (column == COLUMNS) {
            column = lowest(~store->columns_used);
            store->columns_used |= bit(column);
            store->columns_here &= ~bit(column);
            if ((arrived[i / 64] >> i % 64 & 1) != 0) store->columns_here |= bit(column);
            store->missing[column] = number;
        }
        r->factors[column] = factor;
    }
    return index;
}

ox_repair_outcome ox_repair_store_take(ox_repair_store *store, const ox_repair_window *window, const uint64_t *arrived,
                                       uint64_t next) {
    OX_ASSERT(window->len >= OX_REPAIR_HEAD_BYTES && window->len <= OX_REPAIR_SYMBOL_MAX);
    give_up_old(store, next);
    ox_repair_outcome outcome = judge(store, window, next);
    if (outcome != OX_REPAIR_TAKEN) return outcome;
    make_room(store, window);
    uint32_t index = begin_row(store, window, arrived);
    for (uint64_t rows = store->rows_used; rows != 0; rows &= rows - 1) {
        uint32_t known = lowest(rows);
        add_row(store, index, known, store->rows[index].factors[store->rows[known].pivot]);
    }
    if (!settle_row(store, index)) return OX_REPAIR_UNNEEDED;
    store->rows_used |= bit(index);
    return OX_REPAIR_TAKEN;
}

/** Whether a solved row is a symbol: a length that fits, nothing behind it, a place that there is. */
static bool is_symbol(const uint8_t *sum, uint32_t len) {
    uint32_t content = ox_repair_symbol_len(sum);
    if (OX_REPAIR_HEAD_BYTES + content > len || content > OX_REPAIR_CONTENT_MAX) return false;
    uint8_t rest = 0;
    for (uint32_t i = OX_REPAIR_HEAD_BYTES + content; i < len; i++) rest |= sum[i];
    return rest == 0;
}

bool ox_repair_store_solved(ox_repair_store *store, ox_repair_symbol *symbol) {
    while (store->changed) {
        uint32_t found = ROWS;
        for (uint64_t rows = store->rows_used; rows != 0; rows &= rows - 1) {
            const row *r = &store->rows[lowest(rows)];
            if (columns_of(r) != bit(r->pivot)) continue;
            if (found == ROWS || store->missing[r->pivot] < store->missing[store->rows[found].pivot]) found = lowest(rows);
        }
        store->changed = found != ROWS;
        if (found == ROWS) break;
        const uint8_t *sum = store->sums[found];
        uint32_t column = store->rows[found].pivot;
        uint64_t number = store->missing[column];
        store->rows_used &= ~bit(found);
        store->columns_used &= ~bit(column);
        if (!is_symbol(sum, store->rows[found].len)) {
            store->given_up += (store->columns_here & bit(column)) == 0;
            continue;
        }
        ox_repair_store_keep(store, number, sum[2], sum + OX_REPAIR_HEAD_BYTES, ox_repair_symbol_len(sum));
        *symbol = (ox_repair_symbol){.number = number,
                                     .content = sum + OX_REPAIR_HEAD_BYTES, // its place may be a newer one's
                                     .len = (uint16_t)ox_repair_symbol_len(sum),
                                     .car = sum[2]};
        return true;
    }
    return false;
}
