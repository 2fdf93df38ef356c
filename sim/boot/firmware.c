// Supervisor calls: the extension is in a7, the function in a6; results are in a0 and a1.
#include "boot/firmware.h"
#include "boot/firmware_harts.h"
#include "cpu/access.h"
#include "cpu/physical.h"

enum extension {
    LEGACY_SET_TIMER = 0,
    LEGACY_PUT = 1,
    LEGACY_GET = 2,
    LEGACY_SHUTDOWN = 8,
    BASE = 0x10,
    TIME = 0x54494d45,
    IPI = 0x735049,
    RFENCE = 0x52464e43,
    HSM = 0x48534d,
    SRST = 0x53525354,
    DBCN = 0x4442434e,
};

enum { VERSION_2_0 = 2 << 24, IMPLEMENTATION = 0x636f7736, PRINT_MAX = 4096 };

// ---- Base ----

static bool is_known(uint64_t extension) {
    static const uint32_t known[] = {
        LEGACY_SET_TIMER,
        LEGACY_PUT,
        LEGACY_GET,
        LEGACY_SHUTDOWN,
        BASE,
        TIME,
        IPI,
        RFENCE,
        HSM,
        SRST,
        DBCN,
    };
    for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i] == extension)
            return true;
    }
    return false;
}

static struct result call_base(const struct call *c) {
    switch (c->function) {
    case 0:
        return value(VERSION_2_0);
    case 1:
        return value(IMPLEMENTATION);
    case 2:
        return value(1);
    case 3:
        return value(is_known(c->a[0]));
    case 4:
    case 5:
    case 6:
        return value(0);
    }
    return error(NOT_SUPPORTED);
}

// ---- Timer ----

static void set_timer(struct hart *h, uint64_t time) {
    h->r.stimecmp = time;
    h->r.interrupt_lines &= ~BIT(TIMER_S); // at once, if it rings, as SBI promises
    hart_end_turn(h);
}

// ---- Console ----

static void print(const struct call *c, uint8_t byte) {
    struct uart *uart = c->firmware->uart;
    if (uart->put != NULL)
        uart->put(uart->owner, byte);
}

static struct result print_bytes(const struct call *c) {
    uint64_t count = c->a[0], address = c->a[1];
    if (c->a[2] != 0 || !bus_is_memory(&c->system->bus, address, count))
        return error(INVALID);
    count = count < PRINT_MAX ? count : PRINT_MAX; // the caller prints the rest
    for (uint64_t i = 0; i < count; i++)
        print(c, physical_read(c->system, address + i, 1));
    return value(count);
}

static struct result read_bytes(const struct call *c) {
    uint64_t count = c->a[0], address = c->a[1], done = 0;
    if (c->a[2] != 0 || !bus_is_memory(&c->system->bus, address, count))
        return error(INVALID);
    for (int byte; done < count && (byte = uart_take(c->firmware->uart)) >= 0; done++) {
        if (!physical_write(c->system, address + done, 1, byte))
            return error(FAILED);
    }
    return value(done);
}

static struct result call_console(const struct call *c) {
    switch (c->function) {
    case 0:
        return print_bytes(c);
    case 1:
        return read_bytes(c);
    case 2:
        print(c, c->a[0]);
        return error(SUCCESS);
    }
    return error(NOT_SUPPORTED);
}

// ---- All calls ----

static struct result end_machine(const struct call *c, bool is_reset, bool is_failure) {
    c->firmware->finisher->written = is_reset     ? FINISHER_RESET
                                     : is_failure ? FINISHER_FAIL | 1 << 16
                                                  : FINISHER_PASS;
    hart_end_turn(c->hart);
    return error(SUCCESS);
}

static struct result call_reset(const struct call *c) {
    if (c->function != 0)
        return error(NOT_SUPPORTED);
    return c->a[0] > 2 ? error(INVALID) : end_machine(c, c->a[0] != 0, c->a[1] != 0);
}

static struct result call_extension(const struct call *c, uint64_t extension) {
    switch (extension) {
    case BASE:
        return call_base(c);
    case TIME:
        if (c->function != 0)
            return error(NOT_SUPPORTED);
        set_timer(c->hart, c->a[0]);
        return error(SUCCESS);
    case IPI:
        return firmware_interrupt(c);
    case RFENCE:
        return firmware_fence(c);
    case HSM:
        return firmware_hart(c);
    case SRST:
        return call_reset(c);
    case DBCN:
        return call_console(c);
    }
    return error(NOT_SUPPORTED);
}

// Legacy calls return one value, in a0. Returns false if it is none.
static bool call_legacy(const struct call *c, uint64_t extension, int64_t *result) {
    switch (extension) {
    case LEGACY_SET_TIMER:
        set_timer(c->hart, c->a[0]);
        return true;
    case LEGACY_PUT:
        print(c, c->a[0]);
        return true;
    case LEGACY_GET:
        *result = uart_take(c->firmware->uart);
        return true;
    case LEGACY_SHUTDOWN:
        end_machine(c, false, false);
        return true;
    }
    return false;
}

static void serve(struct firmware *f, struct hart *h) {
    uint64_t *x = h->r.x;
    const struct call c = {f, f->system, h, x[A6], &x[A0]};
    int64_t legacy = SUCCESS;
    if (call_legacy(&c, x[A7], &legacy)) {
        x[A0] = legacy;
        return;
    }
    struct result result = call_extension(&c, x[A7]);
    x[A0] = result.error;
    x[A1] = result.value;
}

void firmware_start(struct firmware *f, uint64_t entry, uint64_t devicetree) {
    f->system->firmware = f;
    f->system->firmware_call = serve;
    for (unsigned i = 0; i < f->system->hart_count; i++)
        f->system->harts[i].r.mode = HART_STOPPED;
    firmware_start_hart(&f->system->harts[0], entry, devicetree);
}
