// Supervisor calls: the extension is in a7, the function in a6; results are in a0 and a1.
#include "boot/firmware.h"
#include "cpu/access.h"
#include "cpu/code.h"
#include "cpu/fast.h"
#include "cpu/physical.h"
#include "cpu/translate.h"

enum { A0 = 10, A1 = 11, A2 = 12, A6 = 16, A7 = 17 };

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

enum error { SUCCESS = 0, FAILED = -1, NOT_SUPPORTED = -2, INVALID = -3, ALREADY_AVAILABLE = -6 };

enum { VERSION_2_0 = 2 << 24, IMPLEMENTATION = 0x636f7736, DELEGATED = 0xb1ff, PRINT_MAX = 4096 };
enum { FENCE_PAGES_MAX = 64 }; // more are fenced as if they were all

struct call {
    struct firmware *firmware;
    struct system *system;
    struct hart *hart;
    uint64_t function;
    const uint64_t *a; // arguments
};

struct result {
    int64_t error;
    uint64_t value;
};

static struct result value(uint64_t value) {
    return (struct result){SUCCESS, value};
}

static struct result error(enum error error) {
    return (struct result){error, 0};
}

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
    hart_end_turn(h);
}

// ---- Other harts ----

// Calls `act` for the harts in the mask, which begins with hart `base`, or for all. Returns false
// if one does not exist.
static bool for_harts(const struct call *c, uint64_t mask, uint64_t base,
                      void (*act)(const struct call *c, struct hart *h)) {
    unsigned count = c->system->hart_count;
    if (base != UINT64_MAX && (base >= count || (count - base < 64 && mask >> (count - base) != 0)))
        return false;
    for (unsigned i = 0; i < count; i++) {
        if (base == UINT64_MAX || (i >= base && (mask >> (i - base) & 1)))
            act(c, &c->system->harts[i]);
    }
    return true;
}

static void interrupt(const struct call *c, struct hart *h) {
    h->r.interrupt_pending |= BIT(SOFTWARE_S);
}

static void fence_instructions(const struct call *c, struct hart *h) {
    access_drain(h);
    code_fence(h);
}

// The range of addresses is in a[2] and a[3], the address space in a[4].
static void fence_translations(const struct call *c, struct hart *h) {
    uint64_t asid = c->function == 2 ? c->a[4] & SPACE_MASK : TLB_ALL, start = c->a[2];
    bool is_all = (start == 0 && c->a[3] == 0) || c->a[3] > FENCE_PAGES_MAX * PAGE_BYTES;
    uint64_t pages = is_all ? 0 : (start % PAGE_BYTES + c->a[3] + PAGE_BYTES - 1) / PAGE_BYTES;
    access_drain(h);
    if (is_all)
        translate_fence(h, TLB_ALL, asid);
    for (uint64_t i = 0; i < pages; i++)
        translate_fence(h, start + i * PAGE_BYTES, asid);
}

static struct result call_fence(const struct call *c) {
    if (c->function > 2)
        return error(NOT_SUPPORTED);
    bool done =
        for_harts(c, c->a[0], c->a[1], c->function == 0 ? fence_instructions : fence_translations);
    return error(done ? SUCCESS : INVALID);
}

// ---- Hart state management ----

enum { STARTED = 0, STOPPED = 1 };

static void start(struct hart *h, uint64_t entry, uint64_t argument) {
    uint64_t id = h->r.id, retired = h->r.retired, lines = h->r.interrupt_lines;
    h->r = (struct registers){
        .id = id,
        .retired = retired,
        .pc = entry & ~UINT64_C(1), // as every jump
        .privilege = SUPERVISOR,
        .mode = HART_RUNNING,
        .exception_delegation = DELEGATED,
        .interrupt_delegation = SUPERVISOR_INTERRUPTS,
        .mcounteren = 7,
        .menvcfg = ENVIRONMENT_STCE,
        .interrupt_lines = lines,
        .stimecmp = UINT64_MAX,
        .reserved_address = RESERVED_NONE,
    };
    h->r.x[A0] = id;
    h->r.x[A1] = argument;
    code_fence(h);
    translate_fence(h, TLB_ALL, TLB_ALL);
    fast_select(h);
}

static struct result call_hart(const struct call *c) {
    uint64_t id = c->a[0];
    if (c->function == 1) { // stop
        c->hart->r.mode = HART_STOPPED;
        hart_end_turn(c->hart);
        return error(SUCCESS);
    }
    if (c->function == 3 && (uint32_t)c->a[0] != 0) // a kind of suspend that loses registers
        return error(NOT_SUPPORTED);
    if (c->function == 3) { // suspend, which keeps everything
        c->hart->r.mode = HART_WAITING;
        hart_end_turn(c->hart);
        return error(SUCCESS);
    }
    if (id >= c->system->hart_count)
        return error(INVALID);
    struct hart *h = &c->system->harts[id];
    if (c->function == 2)
        return value(h->r.mode == HART_STOPPED ? STOPPED : STARTED);
    if (c->function != 0)
        return error(NOT_SUPPORTED);
    if (h->r.mode != HART_STOPPED)
        return error(ALREADY_AVAILABLE);
    start(h, c->a[1], c->a[2]);
    return error(SUCCESS);
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
        if (c->function != 0)
            return error(NOT_SUPPORTED);
        hart_end_turn(c->hart); // one of the harts may be this one
        return error(for_harts(c, c->a[0], c->a[1], interrupt) ? SUCCESS : INVALID);
    case RFENCE:
        return call_fence(c);
    case HSM:
        return call_hart(c);
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
    start(&f->system->harts[0], entry, devicetree);
}
