// The loop through the programs, and what their traps do. What happens is hashed; of a program that
// is shown, it is also printed.
#include "guest.h"
#include "layout.h"

enum { EVENTS_MAX = 200, REGISTERS = 31, FAULT_STEP = 40, WORD_BYTES = 4 };
enum { FETCH_FAULT = 1, BREAKPOINT = 3, LOAD_FAULT = 5, STORE_FAULT = 7 };
enum { CALL_USER = 8, CALL_SUPERVISOR = 9, FETCH_PAGE_FAULT = 12 };
enum { OPCODE = 0x7f, ATOMIC = 0x2f };
enum { GO_ON = 1, END = 0 };
#define INTERRUPT ((uint64_t)1 << 63)

// Calls that a change stands for, instead of an address.
enum { SET_STATUS = 1, SET_SATP = 2 };

// Bits of mstatus.
#define SPP ((uint64_t)1 << 8)
#define MPP ((uint64_t)3 << 11)
#define TSR ((uint64_t)1 << 22)
#define SETTABLE ((uint64_t)0x7c << 16) // SUM, MXR, TVM, TW, TSR
enum { SUPERVISOR_SHIFT = 11 };

void enter(void);
int trap(struct frame *frame);

struct frame frame;
static const struct record *current;
static const struct change *next_change, *last_change;
static uint64_t hash, events, faults;
static bool is_wild;              // it has met a fault in a device of QEMU's
static uint64_t shown[REGISTERS]; // as they were last printed

void note(uint64_t value) {
    hash = (hash ^ value) * 0x9e3779b97f4a7c15;
    hash ^= hash >> 29;
    if (current->is_shown) {
        print(" ");
        print_hex(value);
    }
}

static uint64_t mix(uint64_t h, uint64_t value) {
    h = (h ^ value) * 0x9e3779b97f4a7c15;
    return h ^ h >> 29;
}

static void fill(uint64_t *words, uint64_t pages, uint64_t seed) {
    for (uint64_t i = 0; i < pages * 512; i++)
        words[i] = seed = mix(seed, i);
}

static void clear(uint64_t *words, uint64_t pages) {
    for (uint64_t i = 0; i < pages * 512; i++)
        words[i] = 0;
}

static uint64_t hash_words(const uint64_t *words, uint64_t pages) {
    uint64_t h = 0;
    for (uint64_t i = 0; i < pages * 512; i++)
        h = mix(h, words[i]);
    return h;
}

// ---- Traps ----

static void note_registers(const struct frame *f) {
    uint64_t all = 0;
    for (unsigned i = 0; i < REGISTERS; i++) {
        all = mix(all, f->x[i]);
        if (current->is_shown && f->x[i] != shown[i]) {
            print(" x");
            print_hex(i + 1);
            print("=");
            print_hex(shown[i] = f->x[i]);
        }
    }
    note(all);
}

static void apply(const struct change *c) {
    switch (c->address) {
    case SET_STATUS:
        CSR_WRITE(mstatus, (CSR_READ(mstatus) & ~SETTABLE) | c->value);
        break;
    case SET_SATP:
        CSR_WRITE(satp, c->value);
        break;
    default:
        *(volatile uint64_t *)c->address = c->value;
    }
    __asm__ volatile("sfence.vma" ::: "memory");
}

// Returns where the program goes on after a fault: behind the word with the instruction; if there
// was none, at another place.
static uint64_t after(uint64_t cause, uint64_t pc) {
    uint64_t phase = current->pc % WORD_BYTES;
    if (cause == FETCH_FAULT || cause == FETCH_PAGE_FAULT || cause == 0)
        return current->pc + FAULT_STEP * ++faults;
    if (cause & INTERRUPT)
        return pc;
    return ((pc - phase) & ~(uint64_t)(WORD_BYTES - 1)) + phase + WORD_BYTES;
}

static void silence(uint64_t cause) {
    CSR_CLEAR(mie, (uint64_t)1 << (cause & 63));
    CSR_CLEAR(mip, (uint64_t)1 << (cause & 63));
}

// Serves a trap that has happened at pc, in either mode. Returns where to go on.
static uint64_t serve(uint64_t cause, uint64_t pc) {
    if (cause & INTERRUPT)
        silence(cause);
    if ((cause == CALL_USER || cause == CALL_SUPERVISOR) && next_change < last_change)
        apply(next_change++);
    return after(cause, pc);
}

// True if QEMU's machine has a device there: one that the simulator lacks, or one that QEMU lets a
// program access in other pieces.
static bool is_in_device(uint64_t cause, uint64_t address) {
    static const struct {
        uint64_t start, end;
    } ranges[] = {{0x1000, 0x10000},
                  {0x100000, 0x102000},
                  {0x2000000, 0x80000000},
                  {0x300000000, 0x800000000}};
    if (cause != FETCH_FAULT && cause != LOAD_FAULT && cause != STORE_FAULT)
        return false;
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        if (address >= ranges[i].start && address < ranges[i].end)
            return true;
    }
    return false;
}

static bool is_atomic(uint64_t pc) {
    uint64_t offset = pc - current->pc;
    const uint16_t *code = (const uint16_t *)(CODE + current->code_offset);
    return offset < current->code_bytes && (code[offset / sizeof *code] & OPCODE) == ATOMIC;
}

// What a trap's registers say.
struct cause {
    uint64_t cause, pc, value;
};

// In QEMU, a breakpoint has no value (until version 9), an atomic instruction where no memory is
// faults as a load, a misaligned access there at another address, and a trap may return to an odd
// address. Returns the cause without what depends on that, and notes it.
static struct cause note_cause(struct cause c) {
    is_wild |= is_in_device(c.cause, c.value);
    if (c.cause == BREAKPOINT)
        c.value = 0;
    if (c.cause == FETCH_FAULT || c.cause == FETCH_PAGE_FAULT)
        c.value &= ~(uint64_t)1;
    if (c.cause == LOAD_FAULT || c.cause == STORE_FAULT) {
        c.cause = is_atomic(c.pc) ? STORE_FAULT : c.cause;
        c.value &= ~(uint64_t)7;
    }
    note(c.cause);
    note(c.pc & ~(uint64_t)1);
    note(c.value);
    return c;
}

// A trap of the handler in supervisor mode: what it was called for is in sepc and scause.
static void serve_delegated(struct frame *f) {
    struct cause c = note_cause((struct cause){CSR_READ(scause), CSR_READ(sepc), CSR_READ(stval)});
    CSR_WRITE(scause, c.cause);
    CSR_WRITE(stval, c.value);
    CSR_WRITE(sepc, serve(c.cause, c.pc));
    f->pc += WORD_BYTES;
    uint64_t status = CSR_READ(mstatus);
    if (status & TSR) { // sret would trap
        f->pc = CSR_READ(sepc);
        CSR_WRITE(mstatus, (status & ~MPP) | (uint64_t) !!(status & SPP) << SUPERVISOR_SHIFT);
    }
}

// Returns mstatus as the program had it, and lets it have MPRV again, in machine mode.
static uint64_t status_before(void) {
    uint64_t status = CSR_READ(sscratch);
    if ((status & MPP) != MPP)
        return status & ~(uint64_t)MPRV;
    CSR_WRITE(mstatus, status);
    __asm__ volatile("sfence.vma" ::
                         : "memory"); // mret changes MPP, of which QEMU's TLB knows nothing
    return status;
}

int trap(struct frame *f) {
    extern char delegated_entry[];
    uint64_t cause = CSR_READ(mcause), low = (1 << 30) - 1;
    bool is_delegated =
        cause == CALL_SUPERVISOR && (f->pc & low) == ((uint64_t)delegated_entry & low);
    if (current->is_shown)
        print("\nevent");
    struct cause c = note_cause((struct cause){cause, f->pc, CSR_READ(mtval)});
    CSR_WRITE(mcause, c.cause);
    CSR_WRITE(mtval, c.value);
    note(status_before());
    note_registers(f);
    bool is_end = cause == BREAKPOINT || (is_delegated && CSR_READ(scause) == BREAKPOINT);
    if (is_delegated)
        serve_delegated(f);
    else
        f->pc = serve(cause, f->pc);
    bool has_left = faults * FAULT_STEP > current->code_bytes;
    return is_end || has_left || ++events >= EVENTS_MAX ? END : GO_ON;
}

// ---- Programs ----

// Puts into memory what the record says. Returns the end of the record.
static void prepare(const struct record *r) {
    const struct change *changes = (const struct change *)(r + 1);
    clear((uint64_t *)TABLES, TABLE_PAGES);
    clear((uint64_t *)CODE, CODE_PAGES);
    fill((uint64_t *)DATA, DATA_PAGES, r->number);
    fill((uint64_t *)LAST, 1, r->number);
    for (uint64_t i = 0; i < r->patch_count; i++)
        *(uint64_t *)changes[i].address = changes[i].value;
    next_change = changes + r->patch_count;
    last_change = next_change + r->change_count;
    const uint16_t *code = (const uint16_t *)last_change;
    uint16_t *place = (uint16_t *)(CODE + r->code_offset);
    for (uint64_t i = 0; i < r->code_bytes / sizeof *code; i++)
        place[i] = code[i];
    for (unsigned i = 0; i < REGISTERS; i++)
        frame.x[i] = shown[i] = r->x[i];
    __asm__ volatile("fence.i" ::: "memory");
}

static void show_tables(void) {
    const uint64_t *words = (const uint64_t *)TABLES;
    for (uint64_t i = 0; i < TABLE_PAGES * 512; i++) {
        if (words[i] == 0)
            continue;
        print("\nentry");
        print_named("address", (uint64_t)&words[i]);
        print_named("value", words[i]);
    }
    print("\nmemory");
}

static void run(const struct record *r) {
    current = r;
    hash = events = faults = 0;
    is_wild = false;
    print("start ");
    print_hex(r->number);
    prepare(r);
    registers_reset(r);
    enter();
    CSR_WRITE(mie, 0);
    if (r->is_shown)
        print("\nregisters");
    registers_note();
    CSR_WRITE(satp, 0);
    if (r->is_shown)
        show_tables();
    note(hash_words((const uint64_t *)CODE, CODE_PAGES));
    note(hash_words((const uint64_t *)DATA, DATA_PAGES));
    note(hash_words((const uint64_t *)TABLES, TABLE_PAGES));
    note(hash_words((const uint64_t *)LAST, 1));
    print_named("events", events);
    print_named("wild", is_wild);
    print_named("hash", hash);
    print("\n");
}

void run_all(void) {
    const struct record *r = (const struct record *)RECORDS;
    while (r->size != 0) {
        run(r);
        r = (const struct record *)((const char *)r + r->size);
    }
    finish();
}
