/** @file  Which handshake datagrams reach the controller (Wire.md section 4.4): the only part that strangers can make work. */
#include "state.h"

_Static_assert((int)OX_RESPONSE_OVERHEAD < (int)OX_INITIATION_OVERHEAD, "a response is no longer than its initiation");

/** Counts one more; returns how many there were in this second. */
static uint32_t meter(ox_meter *m, uint64_t now_ns) {
    uint64_t second = now_ns / OX_NS_PER_SECOND;
    if (second != m->second) {
        m->before = second == m->second + 1 ? m->now : 0;
        m->now = 0;
        m->second = second;
    }
    if (m->now < UINT32_MAX) m->now++;
    return m->now;
}

/** Likewise, or in the second before if that was more: load does not end with each second. */
static uint32_t meter_load(ox_meter *m, uint64_t now_ns) {
    uint32_t now = meter(m, now_ns);
    return now > m->before ? now : m->before;
}

/** What this source has had in this second. IPv6 sources count by /64. */
static ox_source *source(ox_tunnel *tunnel, const ox_address *from, uint64_t now_ns) {
    uint64_t high = ox_load_be64(from->ip), low = ox_load_be64(from->ip + 8);
    bool v4 = high == 0 && low >> 32 == 0xffff;
    uint64_t hash = (v4 ? low : high) ^ tunnel->gate.seed;
    hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93u;
    hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93u;
    hash ^= hash >> 32;
    uint64_t second = now_ns / OX_NS_PER_SECOND;
    ox_source *found = &tunnel->gate.sources[hash % OX_GATE_SOURCES];
    if (found->second != second) *found = (ox_source){.second = second};
    return found;
}

static ox_called *called_slot(ox_gate *gate, const ox_address *from) {
    uint64_t hash = ox_load_be64(from->ip) * 31 + ox_load_be64(from->ip + 8) + from->port;
    return &gate->called[(hash ^ hash >> 17) % OX_GATE_CALLED];
}

/** An answer leaves from the address that was called: firewalls between know no other. */
void ox_gate_answer_from(ox_tunnel *tunnel, ox_buf *buf) {
    const ox_called *slot = called_slot(&tunnel->gate, &buf->address);
    if (ox_address_equal(&slot->from, &buf->address)) memcpy(buf->local, slot->local, sizeof buf->local);
}

static void note_call(ox_tunnel *tunnel, const ox_buf *buf) {
    ox_called *slot = called_slot(&tunnel->gate, &buf->address);
    slot->from = buf->address;
    memcpy(slot->local, buf->local, sizeof slot->local);
}

/** Asks for proof that the initiator is at its address. */
static ox_verdict send_cookie(ox_tunnel *tunnel, const ox_buf *buf, uint64_t now_ns) {
    // One source that floods must not spend the cookies of all others. Twice its handshakes, for a cookie can get lost.
    if (++source(tunnel, &buf->address, now_ns)->cookies > 2 * tunnel->policy.source_handshakes_per_second)
        return OX_DROP_HANDSHAKE_COOKIE_LIMIT;
    if (meter(&tunnel->gate.cookies, now_ns) > tunnel->policy.cookies_per_second) return OX_DROP_HANDSHAKE_COOKIE_LIMIT;
    uint8_t reply[OX_COOKIE_REPLY_BYTES];
    ox_cookie_reply(tunnel->is.cookies, now_ns, buf->data, buf->len, &buf->address, reply);
    note_call(tunnel, buf);
    ox_tunnel_send_handshake(tunnel, reply, sizeof reply, &buf->address);
    return OX_DROP_HANDSHAKE_COOKIE_SENT;
}

/** Notes an initiation that leaves: its index, which nobody else knows, is what an answer must carry. */
void ox_gate_await(ox_tunnel *tunnel, const uint8_t *bytes, size_t len) {
    if (len < 8 || bytes[0] != OX_TYPE_INITIATION) return;
    uint32_t index = ox_handshake_index(bytes);
    tunnel->gate.awaited[index % OX_GATE_AWAITED] = (ox_awaited){.index = index, .awaited = true};
}

static bool is_awaited(const ox_tunnel *tunnel, const ox_buf *buf) {
    if (buf->len < 8) return false;
    uint32_t index = ox_handshake_index(buf->data);
    ox_awaited slot = tunnel->gate.awaited[index % OX_GATE_AWAITED];
    return slot.awaited && slot.index == index;
}

static ox_verdict judge(ox_tunnel *tunnel, const ox_buf *buf, uint64_t now_ns) {
    uint8_t type = buf->data[0];
    bool answer = type == OX_TYPE_RESPONSE || type == OX_TYPE_COOKIE_REPLY;
    ox_verdict verdict = ox_handshake_check(tunnel->is.identity, buf->data, buf->len);
    if (verdict != OX_PASS) return verdict;
    //= Wire.md section 4.1
    //# an initiation is at least as long as its response
    if (!answer && buf->len < OX_INITIATION_OVERHEAD + OX_OFFER_BYTES_MAX) return OX_DROP_HANDSHAKE_LENGTH;
    if (answer && !is_awaited(tunnel, buf)) return OX_DROP_HANDSHAKE_UNEXPECTED;
    if (answer) {
        // Apart, for a cookie reply proves nothing before it is read: anyone can send many.
        bool cookie = type == OX_TYPE_COOKIE_REPLY;
        ox_meter *replies = cookie ? &tunnel->gate.cookie_replies : &tunnel->gate.responses;
        bool many = meter(replies, now_ns) > tunnel->policy.handshakes_per_second;
        return many ? OX_DROP_HANDSHAKE_RATE : OX_PASS;
    }
    if (meter_load(&tunnel->gate.initiations, now_ns) <= tunnel->policy.handshakes_per_second) return OX_PASS;
    if (!ox_cookie_valid(tunnel->is.cookies, now_ns, buf->data, buf->len, &buf->address))
        return send_cookie(tunnel, buf, now_ns);
    bool spent = ++source(tunnel, &buf->address, now_ns)->handshakes > tunnel->policy.source_handshakes_per_second;
    return spent ? OX_DROP_HANDSHAKE_RATE : OX_PASS;
}

void ox_gate_handshake(ox_tunnel *tunnel, ox_buf *buf, uint64_t now_ns) {
    ox_verdict verdict = judge(tunnel, buf, now_ns);
    if (verdict != OX_PASS) {
        ox_tunnel_drop(tunnel, buf, verdict);
        return;
    }
    OX_ASSERT(buf->len <= OX_HANDSHAKE_MAX);
    note_call(tunnel, buf);
    ox_event event = {.kind = OX_EVENT_HANDSHAKE, .size = buf->len, .address = buf->address};
    memcpy(event.datagram, buf->data, buf->len);
    ox_tunnel_report(tunnel, &event);
    ox_pool_put(tunnel->is.pool, buf);
}
