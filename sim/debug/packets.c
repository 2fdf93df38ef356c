// The frames of packets.
#include "debug/packets.h"

#include <string.h>

enum { NOTHING, TEXT, SUM_HIGH, SUM_LOW };
enum { INTERRUPT = 3 };

// Returns a hexadecimal digit's value; other bytes make a checksum wrong.
static uint8_t digit(uint8_t byte) {
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : 0xff;
}

static void send_byte(struct packets *p, char byte) {
    p->send(p->owner, &byte, 1);
}

static enum packet_event end(struct packets *p) {
    p->awaited = NOTHING;
    if (!p->is_trusted && p->sum != p->claimed_sum) {
        send_byte(p, '-');
        return PACKET_NOTHING;
    }
    if (!p->is_trusted)
        send_byte(p, '+');
    if (p->count > PACKET_BYTES)
        p->count = 0;
    p->received[p->count] = '\0';
    return PACKET_WHOLE;
}

static void begin(struct packets *p) {
    p->awaited = TEXT;
    p->count = 0;
    p->sum = 0;
}

static void add(struct packets *p, uint8_t byte) {
    p->sum += byte;
    if (p->count < PACKET_BYTES)
        p->received[p->count] = byte;
    if (p->count <= PACKET_BYTES) // one more than there is room for: too long
        p->count++;
}

static enum packet_event receive_outside(struct packets *p, uint8_t byte) {
    if (byte == '$')
        begin(p);
    else if (byte == '-' && !p->is_trusted && p->sent_count > 0)
        p->send(p->owner, p->sent, p->sent_count);
    return byte == INTERRUPT ? PACKET_INTERRUPT : PACKET_NOTHING;
}

enum packet_event packets_receive(struct packets *p, uint8_t byte) {
    switch (p->awaited) {
    case NOTHING:
        return receive_outside(p, byte);
    case TEXT:
        if (byte == '#')
            p->awaited = SUM_HIGH;
        else if (byte == '$') // the end of the packet before was lost
            begin(p);
        else
            add(p, byte);
        return PACKET_NOTHING;
    case SUM_HIGH:
        p->claimed_sum = digit(byte) << 4;
        p->awaited = SUM_LOW;
        return PACKET_NOTHING;
    default:
        p->claimed_sum |= digit(byte);
        return end(p);
    }
}

void packets_send(struct packets *p, const struct text *text) {
    struct text frame = text_in((char[8]){0}, 8);
    uint8_t sum = 0;
    for (size_t i = 0; i < text->used; i++)
        sum += (uint8_t)text->bytes[i];
    text_add_byte(&frame, '#');
    text_add_hex(&frame, sum, 2);
    p->sent[0] = '$';
    memcpy(p->sent + 1, text->bytes, text->used);
    memcpy(p->sent + 1 + text->used, frame.bytes, frame.used);
    p->sent_count = 1 + text->used + frame.used;
    p->send(p->owner, p->sent, p->sent_count);
}
