/**
 * @file  Packets cross with compressed headers (Wire.md sections 6.16 and 6.17).
 *
 * A session has two channels of ROHC each way: TCP's, of which a datagram may hold several packets of a flow, and that of all else, of
 * which it holds one. So a decompressor that sees how many datagrams are missing knows how many packets of a flow can be.
 */
#include "oxcore/rohc.h"
#include "state.h"

#include <stdlib.h>

enum {
    TCP_CHANNEL = 1,
    CHANNEL_SHIFT = 6,
    CID_MAX = (1 << CHANNEL_SHIFT) - 1,
    PENDING_MAX = 64, /**< bytes of feedback of a channel that wait for a datagram */
    GROWTH_MOST = OX_COMPACT_GROWTH - OX_COMPACT_COUNT_BYTES, /**< bytes by which the first packet of a flow may grow */
    LARGE = 768,      /**< bytes of a packet that shrinks by less than a twentieth */
    SPARSE = 8,       /**< numbers between packets of a context from which on they are counted */
    HEADROOM_MIN = 64, /**< in front of a packet that goes on in the buffer that it came in */
    COUNTED = 0xe1,   /**< where the first octet of a ROHC packet would be, and none of them */
    TCP_KEY = 3,      /**< last bits of keys */
    UDP_KEY = 1,
    OTHER_KEY = 2,
    IPV4_BYTES = 20,
    IPV6_BYTES = 40,
    PROTO_IPIP = 4,
    PROTO_IPV6 = 41,
    PROTO_ROUTING = 43,
    PROTO_FRAGMENT = 44,
    PROTO_AH = 51,
    PROTO_DESTINATION = 60,
    PROTO_MOBILITY = 135,
};
_Static_assert((int)OX_BUF_HEADROOM >= OX_HEADER_MAX + OX_FEEDBACK_RIDE_MAX + OX_COMPACT_GROWTH + 2 * OX_FRAME_FIXED_LENGTH_BYTES + 1,
               "header, feedback, frame heads and a grown header fit in front of a packet");
_Static_assert(OX_FRAME_COMPRESSED + (TCP_CHANNEL << CHANNEL_SHIFT) + CID_MAX == 0xff, "channel and context are the first byte");

//= Wire.md section 6.16
//# at most 3 packets of a context in TCP's channel, and 1 in the other
static const uint8_t PACKETS_MOST[OX_COMPACT_CHANNELS] = {1, 3};

/** Feedback on what did not come out leaves this soon. */
static const uint64_t HASTE_NS = 2 * (uint64_t)OX_NS_PER_MS;

typedef struct channel {
    ox_rohc_compressor *compressor;     /* NULL until the first packet */
    ox_rohc_decompressor *decompressor; /* likewise */
    uint32_t pending_bytes;
    uint8_t pending[PENDING_MAX];
} channel;

/** Of a context of a decompressor: the newest datagram that had packets of it, plus one, and how many of them were looked at. */
typedef struct place {
    uint64_t datagram;
    uint64_t packets;
} place;

/** Of a context of a compressor: how many packets it had, and the number of the datagram for the last one. */
typedef struct course {
    uint64_t datagram;
    uint64_t packets;
} course;

struct ox_session_compact {
    uint8_t *memory;
    channel channels[OX_COMPACT_CHANNELS];
    bool reset;         /**< compressors began anew */
    bool urgent;        /**< feedback waits on what did not come out */
    uint64_t missing;   /**< numbers that had not come when a higher one did */
};

/* ---- memory ------------------------------------------------------------------------------------------------- */

/** Flows are introduced more often than losses in a row that are usual: in a young context more than that leave nothing sure. */
static const ox_rohc_parameters PARAMETERS[OX_COMPACT_CHANNELS] = {
    {.profiles = OX_ROHC_V2 & ~OX_ROHC_TCP, .cid_max = CID_MAX, .large_cids = true, .bidirectional = true, .repetitions = 6,
     .raw = true, .verify_checksums = true},
    {.profiles = OX_ROHC_UNCOMPRESSED | OX_ROHC_TCP, .cid_max = CID_MAX, .large_cids = true, .bidirectional = true,
     .repetitions = 5, .raw = true, .verify_checksums = true},
};

static size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }
static size_t compressor_bytes(uint32_t index) { return aligned(ox_rohc_compressor_bytes(&PARAMETERS[index])); }
static size_t decompressor_bytes(uint32_t index) { return aligned(ox_rohc_decompressor_bytes(&PARAMETERS[index])); }

static size_t offset_of(uint32_t index) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < index; i++) bytes += compressor_bytes(i) + decompressor_bytes(i);
    return bytes;
}

/** Compressors and decompressors, then places, then courses. */
static size_t memory_bytes(void) {
    return offset_of(OX_COMPACT_CHANNELS) + OX_COMPACT_CHANNELS * (CID_MAX + 1) * (sizeof(place) + sizeof(course));
}

/** Address space, which stays empty until a header is compressed. NULL without it. */
ox_session_compact *ox_session_compact_create(void) {
    ox_session_compact *compact = calloc(1, sizeof *compact);
    if (compact == NULL) return NULL;
    compact->memory = ox_reserve(memory_bytes());
    if (compact->memory != NULL) return compact;
    free(compact);
    return NULL;
}

void ox_session_compact_destroy(ox_session_compact *compact) {
    if (compact == NULL) return;
    ox_release(compact->memory, memory_bytes());
    free(compact);
}

static ox_rohc_compressor *compressor_of(ox_session_compact *compact, uint32_t index) {
    channel *channel = &compact->channels[index];
    if (channel->compressor == NULL) {
        ox_rohc_parameters parameters = PARAMETERS[index];
        parameters.reused = compact->reset;
        channel->compressor = ox_rohc_compressor_init(compact->memory + offset_of(index), &parameters);
    }
    return channel->compressor;
}

static ox_rohc_decompressor *decompressor_of(ox_session_compact *compact, uint32_t index) {
    channel *channel = &compact->channels[index];
    void *memory = compact->memory + offset_of(index) + compressor_bytes(index);
    if (channel->decompressor == NULL) channel->decompressor = ox_rohc_decompressor_init(memory, &PARAMETERS[index]);
    return channel->decompressor;
}

static place *place_of(ox_session_compact *compact, uint32_t index, uint32_t cid) {
    return (place *)(void *)(compact->memory + offset_of(OX_COMPACT_CHANNELS)) + index * (CID_MAX + 1) + cid;
}

static course *course_of(ox_session_compact *compact, uint32_t index, uint32_t cid) {
    return (course *)(void *)place_of(compact, OX_COMPACT_CHANNELS, 0) + index * (CID_MAX + 1) + cid;
}

static ox_compact_report *report_of(const ox_session *session) { return &session->peer->paths[session->is.path].compact; }

/* ---- sending ------------------------------------------------------------------------------------------------ */

/**
 * The channel of a packet, and the key that all packets of its context share. -1 for none: a packet inside the packet may have a
 * checksum that is wrong, and nobody has looked at it.
 */
static int32_t channel_of(const uint8_t *packet, uint32_t len, uint32_t flow, uint32_t *key) {
    bool v4 = packet[0] >> 4 == 4, fragment = v4 && (ox_load_be16(packet + 6) & 0x3fff) != 0;
    if (len < (v4 ? IPV4_BYTES : IPV6_BYTES)) return -1;
    uint8_t protocol = packet[v4 ? 9 : 6];
    *key = flow | TCP_KEY;
    if (protocol == OX_PROTO_TCP && !fragment) return TCP_CHANNEL;
    *key = (flow & ~(uint32_t)TCP_KEY) | UDP_KEY;
    if (protocol == OX_PROTO_UDP && !fragment) return 0;
    *key = OTHER_KEY; // several flows may have one context
    switch (protocol) {
    case PROTO_IPIP:
    case PROTO_IPV6: return -1;
    case 0:
    case PROTO_ROUTING:
    case PROTO_FRAGMENT:
    case PROTO_AH:
    case PROTO_DESTINATION:
    case PROTO_MOBILITY: return v4 && protocol != PROTO_AH ? 0 : -1;
    default: return 0;
    }
}

/** Whether the open datagram may take one more packet with this key. */
static bool has_place(const ox_open *open, const ox_session *session, uint32_t most, uint32_t key) {
    if (open->session != session) return true;
    uint32_t count = 0;
    for (uint32_t i = 0; i < open->compact_count; i++) count += open->compact[i] == key;
    return count < most && open->compact_count < OX_COMPACT_TRACKED;
}

/**
 * Whether a packet of `len` bytes is small enough to be compressed: then it fits whole, whatever becomes of it. Flows of large packets
 * have many of them; when more than 15 are lost in a row, the next ones are refused until feedback has come to and fro.
 */
bool ox_compact_fits(const ox_session *session, uint32_t len) {
    return session->compact != NULL && len <= LARGE && len + OX_COMPACT_GROWTH <= ox_session_room(session);
}

/**
 * Puts the frame's head in front of the ROHC packet in `buf`, whose first octets are `header`'s and are written over.
 *
 * With many numbers between the packets of a context more datagrams may be missing than the few bits of a header count: then a
 * count goes along; and with its first packet, from which the others count on.
 */
static void write_head(ox_session *session, ox_buf *buf, uint32_t index, const ox_rohc_compressed *out) {
    course *course = course_of(session->compact, index, out->cid);
    course->packets++;
    bool counted = course->packets == 1 || session->next_number - course->datagram > SPARSE;
    course->datagram = session->next_number;
    //= Wire.md section 6.16
    //# the first byte is 128, plus 64 in TCP's channel, plus the context; then the first octet of the ROHC packet
    buf->data[1] = out->header[0];
    if (counted) {
        //= Wire.md section 6.16
        //# in between, where there is a count, 0xE1 and its two bytes
        buf->data -= OX_COMPACT_COUNT_BYTES;
        buf->len += OX_COMPACT_COUNT_BYTES;
        buf->data[1] = COUNTED;
        ox_store_be16(buf->data + 2, (uint16_t)course->packets);
    }
    buf->data[0] = (uint8_t)(OX_FRAME_COMPRESSED | index << CHANNEL_SHIFT | out->cid);
}

/**
 * Compresses the headers of a packet that is about to go into the open datagram, or the next one, where that pays. Returns the key to
 * note with the datagram; 0 when the packet stays as it is.
 */
uint32_t ox_compact_packet(ox_tunnel *tunnel, ox_session *session, ox_buf *buf, uint64_t now_ns) {
    ox_session_compact *compact = session->compact;
    if (compact == NULL) return 0;
    uint32_t key;
    int32_t index = channel_of(buf->data, buf->len, buf->flow, &key);
    ox_compact_report *report = report_of(session);
    ox_rohc_compressed out;
    bool goes = index >= 0 && has_place(&tunnel->open, session, PACKETS_MOST[index], key) && ox_compact_fits(session, buf->len) &&
                ox_buf_headroom(buf) >= OX_BUF_HEADROOM &&
                ox_rohc_compress(compressor_of(compact, (uint32_t)index), buf->data, buf->len, now_ns, &out) == OX_ROHC_COMPRESSED;
    if (goes && out.header_bytes > out.consumed + GROWTH_MOST) {
        ox_compact_unsent(session);
        goes = false;
    }
    if (!goes) {
        ox_count(&report->raw, 1);
        return 0;
    }
    uint32_t before = buf->len;
    buf->data += out.consumed;
    buf->data -= out.header_bytes;
    buf->len = buf->len - out.consumed + out.header_bytes;
    memcpy(buf->data, out.header, out.header_bytes);
    write_head(session, buf, (uint32_t)index, &out);
    ox_count(&report->packets, 1);
    ox_count(&report->octets_in, out.consumed);
    ox_count(&report->octets_out, out.consumed + buf->len - before);
    return key;
}

/**
 * What was compressed was not sent: no number of a datagram tells the other side that it misses something. All flows are introduced
 * anew.
 */
void ox_compact_unsent(ox_session *session) {
    ox_session_compact *compact = session->compact;
    compact->reset = true;
    for (uint32_t i = 0; i < OX_COMPACT_CHANNELS; i++) {
        if (compact->channels[i].compressor == NULL) continue;
        compact->channels[i].compressor = NULL;
        memset(compact->memory + offset_of(i), 0, compressor_bytes(i));
    }
}

/** Writes what waits of feedback on headers; returns its bytes. */
uint32_t ox_compact_tell(ox_session *session, uint8_t *out, size_t room) {
    ox_session_compact *compact = session->compact;
    uint32_t len = 0, told = 0;
    bool waits = false;
    if (compact == NULL) return 0;
    for (uint32_t i = 0; i < OX_COMPACT_CHANNELS; i++) {
        channel *channel = &compact->channels[i];
        uint32_t body = 1 + channel->pending_bytes, bytes = 1 + ox_varint_bytes(body) + body;
        if (channel->pending_bytes == 0) continue;
        if (bytes > room - len) {
            waits = true;
            continue;
        }
        told += body;
        //= Wire.md section 6.17
        //# a byte of channel, then feedback elements to the end of the body
        out[len++] = OX_FRAME_HEADERS;
        len += ox_varint_write(out + len, body);
        out[len++] = (uint8_t)i;
        memcpy(out + len, channel->pending, channel->pending_bytes);
        len += channel->pending_bytes;
        channel->pending_bytes = 0;
    }
    if (!waits) compact->urgent = false;
    ox_count(&report_of(session)->told, told);
    return len;
}

/* ---- receiving ---------------------------------------------------------------------------------------------- */

static ox_verdict verdict_of(ox_rohc_verdict verdict) {
    switch (verdict) {
    case OX_ROHC_PASS: return OX_PASS;
    case OX_ROHC_NO_CONTEXT:
    case OX_ROHC_CRC:
    case OX_ROHC_AMBIGUOUS: return OX_DROP_HEADER_CONTEXT;
    case OX_ROHC_LATE:
    case OX_ROHC_DUPLICATE: return OX_DROP_HEADER_LATE;
    case OX_ROHC_CHECKSUM: return OX_DROP_HEADER_CHECKSUM;
    case OX_ROHC_NOTHING:
    case OX_ROHC_MALFORMED:
    case OX_ROHC_TYPE_UNKNOWN:
    case OX_ROHC_PROFILE_UNKNOWN:
    case OX_ROHC_SEGMENT:
    case OX_ROHC_TOO_LONG: break;
    }
    return OX_DROP_HEADER_MALFORMED;
}

/** So many numbers were passed over by the one that has come. What comes of them after all may have been too much for a buffer. */
void ox_compact_missed(ox_session *session, uint64_t count) {
    if (session->compact != NULL) session->compact->missing += count;
}

/** Keeps feedback for the next datagram; older gives way, as it would have been lost then. */
static void keep_feedback(ox_session_compact *compact, channel *channel, bool passed) {
    uint8_t elements[OX_ROHC_FEEDBACK_MAX];
    uint32_t len = ox_rohc_feedback_take(channel->decompressor, elements, sizeof elements);
    if (len == 0 || len > PENDING_MAX) return;
    if (channel->pending_bytes + len > PENDING_MAX) channel->pending_bytes = 0;
    memcpy(channel->pending + channel->pending_bytes, elements, len);
    channel->pending_bytes += len;
    if (!passed) compact->urgent = true;
}

/** The packet whose payload lies in `from`: there, when that keeps it and its headers fit in front, else in a buffer of its own. */
static ox_buf *rebuild(ox_tunnel *tunnel, const ox_rohc_decompressed *out, ox_buf *from, bool keeps) {
    uint32_t before = (uint32_t)(out->payload - from->storage), total = out->header_bytes + out->payload_bytes;
    ox_buf *buf = from;
    if (keeps && before >= out->header_bytes + HEADROOM_MIN) {
        buf->data = from->storage + before - out->header_bytes;
    } else {
        buf = ox_pool_get(tunnel->is.pool, OX_BUF_SMALL);
        if (buf == NULL) return NULL;
        memcpy(buf->data + out->header_bytes, out->payload, out->payload_bytes);
        buf->ecn = from->ecn;
    }
    memcpy(buf->data, out->header, out->header_bytes);
    buf->len = total;
    return buf;
}

/**
 * The packet that `bytes` of the datagram `number`, in the buffer `from`, are with compressed headers: in `from` itself, which is the
 * caller's to give only when it `keeps` the packet, or in another buffer. NULL, and counted, when there is none.
 */
ox_buf *ox_compact_restore(ox_tunnel *tunnel, ox_session *session, uint64_t number, ox_buf *from, uint8_t *bytes, size_t len,
                           bool keeps) {
    ox_session_compact *compact = session->compact;
    ox_compact_report *report = report_of(session);
    uint32_t index = bytes[0] >> CHANNEL_SHIFT & 1, cid = bytes[0] & CID_MAX, most = PACKETS_MOST[index];
    place *place = place_of(compact, index, cid);
    if (place->datagram != number + 1) *place = (struct place){.datagram = number + 1};
    bool counted = len > 1 && bytes[1] == COUNTED;
    uint32_t head = counted ? OX_COMPACT_COUNT_BYTES : 0;
    if (len < head + 2 || place->packets == most) {
        ox_tunnel_count(tunnel, OX_DROP_HEADER_MALFORMED, 1);
        ox_count(&report->refused, 1);
        return NULL;
    }
    ox_rohc_arrival arrival = {.number = (number + 1) * most + place->packets++,
                               .highest = session->replay.next * most,
                               .lost = compact->missing * most,
                               .counted = counted};
    if (counted) arrival.count = ox_load_be16(bytes + 2);
    bytes += head;
    len -= head;
    bytes[0] = bytes[1];
    bytes[1] = (uint8_t)cid;
    ox_rohc_decompressed out;
    ox_rohc_verdict result = ox_rohc_decompress(decompressor_of(compact, index), bytes, (uint32_t)len, &arrival, &out);
    keep_feedback(compact, &compact->channels[index], result == OX_ROHC_PASS);
    ox_verdict verdict = verdict_of(result);
    if (verdict == OX_PASS && out.header_bytes + out.payload_bytes > OX_BUF_CONTENT_MAX) verdict = OX_DROP_PACKET_TOO_BIG;
    ox_buf *buf = verdict == OX_PASS ? rebuild(tunnel, &out, from, keeps) : NULL;
    if (verdict == OX_PASS && buf == NULL) verdict = OX_DROP_POOL_EMPTY;
    ox_count(verdict == OX_PASS ? &report->restored : &report->refused, 1);
    if (verdict != OX_PASS) ox_tunnel_count(tunnel, verdict, 1);
    return buf;
}

/** The other side's feedback on the headers that we compress. */
void ox_compact_heard(ox_tunnel *tunnel, ox_session *session, const ox_frame *frame) {
    ox_session_compact *compact = session->compact;
    ox_rohc_compressor *compressor = NULL;
    if (frame->len > 1 && frame->body[0] < OX_COMPACT_CHANNELS) compressor = compact->channels[frame->body[0]].compressor;
    if (compressor == NULL) { // nobody gives feedback on what was not sent
        ox_tunnel_count(tunnel, OX_DROP_HEADER_MALFORMED, 1);
        return;
    }
    ox_rohc_feedback(compressor, frame->body + 1, (uint32_t)frame->len - 1);
    ox_count(&report_of(session)->heard, frame->len);
}

/** Packets did not come out: the compressor hears of it soon. */
void ox_compact_hasten(ox_tunnel *tunnel, ox_session *session, uint64_t now_ns) {
    if (session->compact->urgent) ox_feedback_hasten(tunnel, session, HASTE_NS, now_ns);
}
