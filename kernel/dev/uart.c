// Sending polls the port; receiving is driven by interrupts. Speed and format stay as the firmware
// has set them.
#include "dev/uart.h"
#include "arch/address.h"
#include "lib/panic.h"
#include "lib/print.h"
#include "sync/spinlock.h"

enum { DATA = 0, INTERRUPTS = 1, LINE_STATUS = 5 }; // registers
enum { INTERRUPTS_RECEIVED = 1, STATUS_RECEIVED = 1, STATUS_SENT = 1 << 5 };

// Locks: [I] set at boot, [u] lock, which keeps the bytes of a call together.
static struct spinlock lock = SPINLOCK(RANK_UART);
static volatile uint8_t *port; // [I]
static uint64_t written;       // [u] how many bytes since boot
static bool is_inside_line;    // [u] the last of them was not "\n"

static void send_byte(char byte) {
    while (!(port[LINE_STATUS] & STATUS_SENT))
        continue;
    port[DATA] = byte;
}

static void send(const char *text, size_t n) {
    assert(spin_held(&lock));
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\n')
            send_byte('\r');
        send_byte(text[i]);
    }
    written += n;
    if (n > 0)
        is_inside_line = text[n - 1] != '\n';
}

void uart_write(const char *text, size_t n) {
    spin_lock(&lock);
    send(text, n);
    spin_unlock(&lock);
}

// Writes a message of the kernel. It begins a new line, even if a program has written half of one.
static void print_line(const char *text, size_t n) {
    spin_lock(&lock);
    if (is_inside_line)
        send("\n", 1);
    send(text, n);
    spin_unlock(&lock);
}

uint64_t uart_written(void) {
    spin_lock(&lock);
    uint64_t n = written;
    spin_unlock(&lock);
    return n;
}

void uart_init(paddr_t address) {
    port = phys_to_ptr(address);
    port[INTERRUPTS] = INTERRUPTS_RECEIVED;
    print_to(print_line);
}

size_t uart_read(char *to, size_t limit) {
    size_t n = 0;
    while (n < limit && port[LINE_STATUS] & STATUS_RECEIVED)
        to[n++] = port[DATA];
    return n;
}
