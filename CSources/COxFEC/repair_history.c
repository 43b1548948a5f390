/** @file  The symbols that a session sent of late, and which of them belong to one sparse flow. */
#include "repair_symbol.h"

#include "oxcore/rs.h"

enum {
    SYMBOLS_MIN = 64,
    SYMBOLS_MAX = 1024,
    WAYS = 4,          /**< flows with the same low bits of their hash that are followed side by side */
    SETS = 16,
    CLASSES_MAX = 256, /**< whatever a byte can say */
};

typedef struct entry {
    uint64_t number;
    uint64_t sent_ns;
    uint64_t turn;     /**< of the windowed symbols of its class: which one it is */
    uint32_t flows[OX_REPAIR_FLOWS_MAX];
    uint16_t len;
    uint8_t car;
    uint8_t class_;
    uint8_t flow_count;
    bool lone;
    bool windowed;
} entry;

/** The newest symbols of one sparse flow. */
typedef struct line {
    uint32_t flow;
    uint64_t count;                        /**< of its symbols; 0 for a free place */
    uint64_t symbols[OX_REPAIR_OFFSET_MAX]; /**< place in the history of symbol i, at i modulo the size */
} line;

struct ox_repair_history {
    uint64_t next;   /**< symbols noted in all: the place of the next one */
    uint64_t oldest; /**< place of the first one whose entry stands */
    uint32_t size;   /**< entries in use: a power of two; 0 before the first symbol */
    uint64_t turns[CLASSES_MAX];
    line lines[SETS][WAYS];
    entry entries[SYMBOLS_MAX];
    uint8_t slots[SYMBOLS_MAX][OX_REPAIR_SLOT_BYTES];
};

size_t ox_repair_history_bytes(void) { return sizeof(ox_repair_history); }

ox_repair_history *ox_repair_history_init(void *memory) {
    return memory;
}

static const entry *entry_at(const ox_repair_history *history, uint64_t place) {
    return &history->entries[place & (history->size - 1)];
}

static const uint8_t *slot_at(const ox_repair_history *history, uint64_t place) {
    return history->slots[place & (history->size - 1)];
}

/* ---- flows -------------------------------------------------------------------------------------------------- */

static const line *find_line(const ox_repair_history *history, uint32_t flow) {
    const line *set = history->lines[flow % SETS];
    for (uint32_t i = 0; i < WAYS; i++)
        if (set[i].count > 0 && set[i].flow == flow) return &set[i];
    return NULL;
}

static uint64_t newest_of(const line *line) { return line->symbols[(line->count - 1) % OX_REPAIR_OFFSET_MAX]; }

/** The line of the flow: a free one, or that of the flow that was silent for longest, when it has none. */
static line *line_of(ox_repair_history *history, uint32_t flow) {
    line *set = history->lines[flow % SETS], *silent = &set[0];
    for (uint32_t i = 0; i < WAYS; i++) {
        if (set[i].count > 0 && set[i].flow == flow) return &set[i];
        if (silent->count > 0 && (set[i].count == 0 || newest_of(&set[i]) < newest_of(silent))) silent = &set[i];
    }
    silent->flow = flow;
    silent->count = 0;
    return silent;
}

static bool has(const ox_repair_symbol *found, uint32_t count, uint64_t number) {
    for (uint32_t i = 0; i < count; i++)
        if (found[i].number == number) return true;
    return false;
}

static void describe(const ox_repair_history *history, uint64_t place, ox_repair_symbol *symbol) {
    const entry *e = entry_at(history, place);
    *symbol = (ox_repair_symbol){.number = e->number,
                                 .sent_ns = e->sent_ns,
                                 .content = slot_at(history, place) + OX_REPAIR_HEAD_BYTES,
                                 .len = e->len,
                                 .car = e->car,
                                 .class_ = e->class_,
                                 .flow_count = e->flow_count,
                                 .lone = e->lone,
                                 .windowed = e->windowed};
    memcpy(symbol->flows, e->flows, sizeof symbol->flows);
}

uint32_t ox_repair_history_earlier(const ox_repair_history *history, const uint32_t *flows, uint32_t flow_count,
                                   const uint64_t *offsets, uint32_t offset_count,
                                   ox_repair_symbol found[OX_REPAIR_COPIES_MAX * OX_REPAIR_FLOWS_MAX]) {
    OX_ASSERT(flow_count <= OX_REPAIR_FLOWS_MAX && offset_count <= OX_REPAIR_COPIES_MAX);
    uint32_t count = 0;
    for (uint32_t f = 0; f < flow_count; f++) {
        const line *line = find_line(history, flows[f]);
        for (uint32_t o = 0; line != NULL && o < offset_count; o++) {
            if (offsets[o] == 0 || offsets[o] > OX_REPAIR_OFFSET_MAX || offsets[o] > line->count) continue;
            uint64_t place = line->symbols[(line->count - offsets[o]) % OX_REPAIR_OFFSET_MAX];
            if (place < history->oldest || has(found, count, entry_at(history, place)->number)) continue;
            // Oldest first, as the receiver hands them on in that order.
            uint64_t number = entry_at(history, place)->number;
            uint32_t at = count++;
            for (; at > 0 && found[at - 1].number > number; at--) found[at] = found[at - 1];
            describe(history, place, &found[at]);
        }
    }
    return count;
}

/* ---- symbols ------------------------------------------------------------------------------------------------ */

/**
 * Makes an entry free for the next symbol: twice as many while the oldest is still of use. Only where the entries that stand
 * keep their places by it, which is at each second time that all are in use.
 */
static void make_room(ox_repair_history *history, uint64_t now_ns, uint64_t keep_ns) {
    if (history->size == 0) history->size = SYMBOLS_MIN;
    if (history->next - history->oldest < history->size) return;
    bool young = now_ns - entry_at(history, history->oldest)->sent_ns < keep_ns;
    if (young && history->size < SYMBOLS_MAX && (history->next & (2 * history->size - 1)) == history->size) history->size *= 2;
    else history->oldest++;
}

void ox_repair_history_note(ox_repair_history *history, const ox_repair_symbol *symbol, uint64_t keep_ns) {
    OX_ASSERT(symbol->flow_count <= OX_REPAIR_FLOWS_MAX);
    if (symbol->len > OX_REPAIR_CONTENT_MAX) return;
    make_room(history, symbol->sent_ns, keep_ns);
    uint64_t place = history->next++;
    entry *e = &history->entries[place & (history->size - 1)];
    *e = (entry){.number = symbol->number,
                 .sent_ns = symbol->sent_ns,
                 .turn = symbol->windowed ? history->turns[symbol->class_]++ : 0,
                 .len = symbol->len,
                 .car = symbol->car,
                 .class_ = symbol->class_,
                 .flow_count = symbol->flow_count,
                 .lone = symbol->lone,
                 .windowed = symbol->windowed};
    memcpy(e->flows, symbol->flows, sizeof e->flows);
    ox_repair_symbol_write(history->slots[place & (history->size - 1)], symbol->car, symbol->content, symbol->len);
    for (uint32_t i = 0; i < symbol->flow_count; i++) {
        line *line = line_of(history, symbol->flows[i]);
        line->symbols[line->count++ % OX_REPAIR_OFFSET_MAX] = place;
    }
}

void ox_repair_history_retract(ox_repair_history *history, uint64_t number) {
    if (history->next == history->oldest || entry_at(history, history->next - 1)->number != number) return;
    const entry *e = entry_at(history, --history->next);
    if (e->windowed) history->turns[e->class_]--;
    for (uint32_t i = 0; i < e->flow_count; i++) {
        line *line = line_of(history, e->flows[i]);
        if (line->count > 0 && newest_of(line) == history->next) line->count--;
    }
}

bool ox_repair_history_find(const ox_repair_history *history, uint64_t number, ox_repair_symbol *symbol) {
    uint64_t low = history->oldest, high = history->next;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (entry_at(history, middle)->number < number) low = middle + 1;
        else high = middle;
    }
    if (low == history->next || entry_at(history, low)->number != number) return false;
    describe(history, low, symbol);
    return true;
}

/* ---- combinations ------------------------------------------------------------------------------------------- */

/** What a combination is made of. */
typedef struct parts {
    uint32_t count;
    uint32_t shortest, longest; /**< bytes of a symbol with its head */
    uint64_t first;             /**< number of the oldest */
    const uint8_t *slots[OX_REPAIR_WINDOW_MAX];
    uint64_t numbers[OX_REPAIR_WINDOW_MAX];
    uint32_t lengths[OX_REPAIR_WINDOW_MAX];
    uint8_t factors[OX_REPAIR_WINDOW_MAX];
} parts;

static void choose(const ox_repair_history *history, uint8_t class_, const ox_repair_order *order, uint32_t lane,
                   uint64_t next_number, uint32_t room, parts *p) {
    uint64_t most = order->window < OX_REPAIR_WINDOW_MAX ? order->window : (uint64_t)OX_REPAIR_WINDOW_MAX;
    uint64_t lanes = order->interleave > 1 ? order->interleave : 1;
    uint64_t newest_ns = history->next > history->oldest ? entry_at(history, history->next - 1)->sent_ns : 0;
    p->count = p->longest = 0;
    p->shortest = OX_REPAIR_SYMBOL_MAX;
    for (uint64_t place = history->next; place > history->oldest && p->count < most; place--) {
        const entry *e = entry_at(history, place - 1);
        uint32_t len = OX_REPAIR_HEAD_BYTES + e->len;
        if (e->number + OX_REPAIR_SPAN_MAX < next_number) break;
        // Recovered by now it would come too late, and missing it would only stand in the way of others.
        if (order->deadline_ns != 0 && newest_ns - e->sent_ns > order->deadline_ns) break;
        // Two numbers that far apart have the same coefficients.
        if (p->count > 0 && p->numbers[0] - e->number >= OX_REPAIR_SPAN_MAX) break;
        if (!e->windowed || e->class_ != class_ || e->turn % lanes != lane || len > room) continue;
        p->slots[p->count] = slot_at(history, place - 1);
        p->numbers[p->count] = e->number;
        p->lengths[p->count++] = len;
        p->first = e->number;
        if (len > p->longest) p->longest = len;
        if (len < p->shortest) p->shortest = len;
    }
}

bool ox_repair_history_combine(const ox_repair_history *history, uint8_t class_, const ox_repair_order *order,
                               uint32_t lane, uint64_t next_number, uint32_t room, uint8_t seed,
                               uint8_t parity[OX_REPAIR_SYMBOL_MAX], ox_repair_window *window) {
    parts p;
    choose(history, class_, order, lane, next_number, room, &p);
    if (p.count == 0) return false;
    *window = (ox_repair_window){.first = p.first, .seed = seed, .parity = parity, .len = p.longest};
    for (uint32_t i = 0; i < p.count; i++) {
        uint64_t bit = p.numbers[i] - p.first;
        window->map[bit / 64] |= (uint64_t)1 << bit % 64;
        p.factors[i] = ox_repair_coefficient(seed, p.numbers[i]);
    }
    memset(parity, 0, p.longest);
    ox_gf_multiply_add_rows(&parity, 1, p.slots, p.count, p.factors, p.shortest);
    for (uint32_t i = 0; i < p.count && p.longest > p.shortest; i++)
        ox_gf_multiply_add(parity + p.shortest, p.slots[i] + p.shortest, p.factors[i], p.lengths[i] - p.shortest);
    return true;
}
