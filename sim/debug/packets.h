// The packets of GDB's remote serial protocol: $TEXT#CHECKSUM, each acknowledged with a + until
// both sides agree to leave that out. ("Debugging with GDB", appendix "GDB Remote Serial
// Protocol".)
#pragma once
#include "debug/text.h"

#include <stdbool.h>

enum { PACKET_BYTES = 4096, PACKET_FRAME = 4 };

struct packets {
    void (*send)(void *owner, const char *bytes, size_t count);
    void *owner;
    bool is_trusted;  // nothing is acknowledged any more
    unsigned awaited; // what the next byte belongs to
    uint8_t sum, claimed_sum;
    size_t count; // of the bytes received
    char received[PACKET_BYTES + 1];
    size_t sent_count; // of the last packet sent, which may be asked for again
    char sent[PACKET_BYTES + PACKET_FRAME];
};

enum packet_event {
    PACKET_NOTHING,
    PACKET_WHOLE,     // there is a packet in `received`, with a 0 at its end
    PACKET_INTERRUPT, // Ctrl-C
};

// Takes a byte that has come. A packet that is too long counts as an empty one, which is answered
// like one that is not known.
enum packet_event packets_receive(struct packets *p, uint8_t byte);

// Sends a packet with that text, of at most PACKET_BYTES.
void packets_send(struct packets *p, const struct text *text);
