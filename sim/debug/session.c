// A debugger that is connected.
#include "debug/session.h"

void session_print(struct remote *r, const char *text) {
    char bytes[PACKET_BYTES];
    struct text t = text_in(bytes, sizeof bytes);
    text_add_byte(&t, 'O');
    for (; *text != '\0' && t.used + 2 < sizeof bytes; text++)
        text_add_hex(&t, (uint8_t)*text, 2);
    packets_send(&r->packets, &t);
}
