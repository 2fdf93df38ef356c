// The serial line. Sending takes no time.
#include "devices/uart.h"

enum { DATA = 0, INTERRUPT_ENABLE, INTERRUPT_ID, LINE_CONTROL, MODEM_CONTROL, LINE_STATUS };
enum { MODEM_STATUS = 6, SCRATCH = 7, UART_REGISTERS };
enum { ON_RECEIVE = 1, ON_SENT = 2 };

// Whether the guest wants input. One that reads the line status may only want to print, so what is
// typed from then on is kept until it first reads, even if it empties the FIFO before.
enum { DEAF, LOOKS, READS };

enum { ID_NONE = 1, ID_SENT = 2, ID_RECEIVED = 4, ID_HAS_FIFO = 0xc0 };
enum { DIVISOR_LATCH = 0x80, STATUS_RECEIVED = 1, STATUS_SENT = 0x60, MODEM_READY = 0xb0 };

static unsigned interrupt_id(const struct uart *u) {
    if ((u->r.interrupt_enable & ON_RECEIVE) && u->r.count > 0)
        return ID_RECEIVED;
    return (u->r.interrupt_enable & ON_SENT) && u->r.is_sent ? ID_SENT : ID_NONE;
}

static void update(struct uart *u) {
    plic_set(u->plic, UART_IRQ, interrupt_id(u) != ID_NONE);
}

bool uart_can_type(const struct uart *u) {
    return u->r.listening != DEAF && u->r.count == 0;
}

bool uart_type(struct uart *u, uint8_t byte) {
    if (u->r.count == UART_FIFO)
        return false;
    u->r.fifo[(u->r.first + u->r.count++) % UART_FIFO] = byte;
    update(u);
    return true;
}

int uart_take(struct uart *u) {
    u->r.listening = READS;
    if (u->r.count == 0)
        return -1;
    uint8_t byte = u->r.fifo[u->r.first];
    u->r.first = (u->r.first + 1) % UART_FIFO;
    u->r.count--;
    update(u);
    return byte;
}

static uint8_t take_or_zero(struct uart *u) {
    int byte = uart_take(u);
    return byte >= 0 ? byte : 0;
}

static uint8_t read_register(struct uart *u, uint64_t offset) {
    bool is_divisor = u->r.line_control & DIVISOR_LATCH;
    unsigned id = interrupt_id(u);
    switch (offset) {
    case DATA:
        return is_divisor ? u->r.divisor[0] : take_or_zero(u);
    case INTERRUPT_ENABLE:
        return is_divisor ? u->r.divisor[1] : u->r.interrupt_enable;
    case INTERRUPT_ID:
        if (id == ID_SENT) {
            u->r.is_sent = false;
            update(u);
        }
        return id | ID_HAS_FIFO;
    case LINE_CONTROL:
        return u->r.line_control;
    case MODEM_CONTROL:
        return u->r.modem_control;
    case LINE_STATUS:
        if (u->r.listening == DEAF)
            u->r.listening = LOOKS;
        return STATUS_SENT | (u->r.count > 0 ? STATUS_RECEIVED : 0);
    case MODEM_STATUS:
        return MODEM_READY;
    case SCRATCH:
        return u->r.scratch;
    }
    return 0;
}

static void write_data(struct uart *u, uint8_t value) {
    if (u->put != NULL)
        u->put(u->owner, value);
    u->r.is_sent = true;
}

static void write_register(struct uart *u, uint64_t offset, uint8_t value) {
    bool is_divisor = u->r.line_control & DIVISOR_LATCH;
    switch (offset) {
    case DATA:
        if (is_divisor)
            u->r.divisor[0] = value;
        else
            write_data(u, value);
        break;
    case INTERRUPT_ENABLE:
        if (is_divisor) {
            u->r.divisor[1] = value;
            break;
        }
        u->r.is_sent |= (value & ON_SENT) && !(u->r.interrupt_enable & ON_SENT);
        u->r.interrupt_enable = value & 0xf;
        if (value & ON_RECEIVE)
            u->r.listening = READS;
        break;
    case INTERRUPT_ID: // FIFO control
        if ((value & 2) && u->r.listening == READS)
            u->r.count = 0;
        break;
    case LINE_CONTROL:
        u->r.line_control = value;
        break;
    case MODEM_CONTROL:
        u->r.modem_control = value & 0x1f;
        break;
    case SCRATCH:
        u->r.scratch = value;
        break;
    }
}

static bool read(void *device, uint64_t offset, unsigned bytes, uint64_t *value) {
    struct uart *u = device;
    *value = read_register(u, offset);
    return true;
}

static bool write(void *device, uint64_t offset, unsigned bytes, uint64_t value) {
    struct uart *u = device;
    write_register(u, offset, value);
    update(u);
    return true;
}

void uart_init(struct uart *u, struct system *system, struct plic *plic) {
    *u = (struct uart){.plic = plic};
    bus_add(&system->bus, (struct bus_device){UART_START, UART_REGISTERS, read, write, u});
}
