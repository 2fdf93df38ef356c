// Sending waits for the port; receiving is by interrupt. Speed and format stay as firmware set them.
#include "dev/uart.h"
#include "arch/address.h"
#include "lib/print.h"
#include "sync/spinlock.h"

enum { DATA = 0, INTERRUPTS = 1, LINE_STATUS = 5 }; // registers
enum { INTERRUPTS_RECEIVED = 1, STATUS_RECEIVED = 1, STATUS_SENT = 1 << 5 };

static struct spinlock lock = SPINLOCK(RANK_UART); // makes a call's bytes one piece
static volatile uint8_t *port;                     // [I]

void uart_init(paddr_t address) {
    port = phys_to_ptr(address);
    port[INTERRUPTS] = INTERRUPTS_RECEIVED;
    print_to(uart_write);
}

static void byte_send(char byte) {
    while (!(port[LINE_STATUS] & STATUS_SENT))
        ;
    port[DATA] = byte;
}

void uart_write(const char *text, size_t n) {
    spin_lock(&lock);
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\n') byte_send('\r');
        byte_send(text[i]);
    }
    spin_unlock(&lock);
}

size_t uart_read(char *to, size_t most) {
    size_t n = 0;
    while (n < most && port[LINE_STATUS] & STATUS_RECEIVED) to[n++] = port[DATA];
    return n;
}
