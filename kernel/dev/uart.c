// Sending waits for the port, which takes 16 bytes at a time; receiving is by interrupt. The speed
// stays as firmware set it.
#include "dev/uart.h"

#include "dev/machine.h"
#include "dev/mmio.h"
#include "lib/print.h"
#include "sync/spinlock.h"

// Registers and their bits. The FIFO is enabled without clearing it: what was typed during boot stays.
enum { DATA = 0, INTERRUPTS = 1, FIFO = 2, LINE_CONTROL = 3, MODEM_CONTROL = 4, LINE_STATUS = 5 };
enum { INTERRUPTS_RECEIVED = 1, FIFO_ENABLE = 1, FIFO_BYTES = 16, LINE_8_BITS_NO_PARITY_1_STOP = 3 };
enum { MODEM_READY = 3, MODEM_PASS_INTERRUPTS = 1 << 3, STATUS_RECEIVED = 1, STATUS_SENT = 1 << 5 };

static struct spinlock lock = SPINLOCK(RANK_UART); // makes a call's bytes one piece
static paddr_t port;                               // [I]

void uart_init(const struct machine *m)
{
    port = m->uart.address;
    mmio_write8(port + LINE_CONTROL, LINE_8_BITS_NO_PARITY_1_STOP);
    mmio_write8(port + FIFO, FIFO_ENABLE);
    mmio_write8(port + MODEM_CONTROL, MODEM_READY | MODEM_PASS_INTERRUPTS);
    mmio_write8(port + INTERRUPTS, INTERRUPTS_RECEIVED);
    print_to(uart_write);
}

void uart_write(const char *text, size_t n)
{
    spin_lock(&lock);
    unsigned room = 0;
    for (size_t i = 0; i < n; i++) {
        if (room < 2) {
            while (!(mmio_read8(port + LINE_STATUS) & STATUS_SENT))
                ;
            room = FIFO_BYTES;
        }
        if (text[i] == '\n') {
            mmio_write8(port + DATA, '\r');
            room--;
        }
        mmio_write8(port + DATA, text[i]);
        room--;
    }
    spin_unlock(&lock);
}

size_t uart_read(char *to, size_t most)
{
    size_t n = 0;
    while (n < most && mmio_read8(port + LINE_STATUS) & STATUS_RECEIVED)
        to[n++] = mmio_read8(port + DATA);
    return n;
}
