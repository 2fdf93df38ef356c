// A hart: its registers, TLB and store buffer, which are a part of the machine's state, and caches
// that make it quick, which can be thrown away at any time without a guest noticing.
#pragma once
#include "cpu/breakpoint.h"
#include "cpu/csr_numbers.h"
#include "cpu/observer.h"
#include "cpu/operations.h"
#include "cpu/profile.h"
#include "cpu/stores.h"
#include "cpu/tlb.h"
#include "memory/bus.h"

enum { HARTS_MAX = 8, INTEGER_REGISTERS = 33 };

enum hart_mode {
    HART_RUNNING,
    HART_WAITING, // wfi
    HART_STOPPED, // the firmware has not started it
};

struct registers {
    uint64_t x[INTEGER_REGISTERS]; // x[0] is 0; what is written to x0 goes to the last one
    uint64_t pc;
    uint32_t privilege; // enum privilege
    uint32_t mode;      // enum hart_mode
    uint64_t id;
    uint64_t status; // mstatus; sstatus is a part of it
    uint64_t interrupt_enable;
    uint64_t interrupt_pending; // the bits that software writes
    uint64_t interrupt_lines;   // the bits that devices set
    uint64_t exception_delegation, interrupt_delegation;
    uint64_t mtvec, mscratch, mepc, mcause, mtval, mcounteren, menvcfg;
    uint64_t stvec, sscratch, sepc, scause, stval, scounteren, senvcfg;
    uint64_t satp, stimecmp;
    uint64_t retired;          // instructions, as minstret counts them; without those of this turn
    uint64_t cycle_offset;     // mcycle is `retired` and this
    uint64_t reserved_address; // of lr; RESERVED_NONE
    uint64_t changes;          // of memory that the hart has made, as far as they are observed
    uint64_t spurious;         // how often sc has failed without a cause, one after the other
};

#define RESERVED_NONE UINT64_MAX

// ---- Pages that are known, so that most accesses are quick ----
//
// What is known follows from the state: from the TLB, and from where the host keeps a page.

enum { FAST_ENTRIES = 256 };

// For the pages that have this index; a tag is a page's virtual address, or FAST_NONE.
struct fast_entry {
    uint64_t read_tag, write_tag;
    uint8_t *bytes; // the page's, in the host's memory
};

// No tag that an access is compared with is this one: see fast_tag.
#define FAST_NONE UINT64_C(0x800)

// One set for each kind of access: as user, as supervisor, and without translation. Nothing is
// ever known in the last one.
enum fast_set { FAST_USER, FAST_SUPERVISOR, FAST_PHYSICAL, FAST_NOTHING, FAST_SETS };

// ---- Decoded instructions ----

enum { OPERATIONS_PER_PAGE = PAGE_BYTES / 2, CODE_PAGES = 256 };

struct code_page {
    uint64_t page; // physical page number; CODE_NO_PAGE
    // The bytes that fetches see, if they need not be those in memory; NULL: zeros.
    struct page *held;
    struct operation operations[OPERATIONS_PER_PAGE];
};

#define CODE_NO_PAGE UINT64_MAX

// Shared by all harts, or, if their instruction caches are incoherent, one for each.
struct code_cache {
    struct code_page *pages[CODE_PAGES]; // by page number; NULL: not yet allocated
};

struct system;
struct firmware;

struct hart {
    struct registers r;
    struct tlb tlb;
    struct stores stores;
    struct system *system;
    uint64_t left;      // instructions that it may still execute
    uint32_t exception; // what a function that returned false has found
    uint64_t exception_value;
    struct fast_entry (*data)[FAST_ENTRIES]; // the set in use
    struct fast_entry sets[FAST_SETS][FAST_ENTRIES];
    bool is_used[FAST_SETS]; // false: nothing is known in that set
    uint64_t code_start;     // virtual address of the page that code belongs to; or FAST_NONE
    struct code_page *code;
    struct code_cache *code_cache;
    struct operation uncached; // an instruction that is fetched anew each time
    uint64_t last_end;         // time after its last instruction; 0: none was seen
};

// What the harts share.
struct system {
    struct bus bus;
    uint64_t time; // instructions of all harts, at the beginning of the turn, and skipped ones
    uint64_t turn; // instructions that the running hart may execute, `left` of them not yet
    struct hart *running; // NULL between turns
    uint64_t random;      // for what happens by chance; a part of the state
    uint32_t profile;
    unsigned hart_count;
    struct hart harts[HARTS_MAX];
    struct code_cache code[HARTS_MAX]; // only the first, if it is shared
    // Serves a supervisor call, if the machine has firmware; NULL: a program in machine mode does.
    void (*firmware_call)(struct firmware *firmware, struct hart *h);
    struct firmware *firmware;
    struct observer *observer; // of what harts access; NULL: nobody wants to know
    struct breakpoints breakpoints;
    struct listener *listener; // NULL: nobody listens
};

// Returns the next random number. xorshift64*, by Vigna:
// https://vigna.di.unimi.it/ftp/papers/xorshift.pdf
static inline uint64_t random_next(uint64_t *state) {
    *state = *state != 0 ? *state : 1;
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static inline uint64_t system_random(struct system *s) {
    return random_next(&s->random);
}

static inline bool has_profile(const struct hart *h, enum profile what) {
    return (h->system->profile & what) != 0;
}

// Notes the exception that the instruction raises; returns false.
static inline bool hart_raises(struct hart *h, uint32_t exception, uint64_t value) {
    h->exception = exception;
    h->exception_value = value;
    return false;
}

// Returns how many instructions have been executed since the hart's turn began; 0 if it is not
// running.
static inline uint64_t hart_executed(const struct hart *h) {
    return h == h->system->running ? h->system->turn - h->left : 0;
}

// Ends the hart's turn after the instruction that it executes, if it is the one that is running.
static inline void hart_end_turn(struct hart *h) {
    if (h == h->system->running) {
        h->system->turn -= h->left;
        h->left = 0;
    }
}

// Returns the time, in instructions.
static inline uint64_t system_now(const struct system *s) {
    return s->time + (s->running != NULL ? hart_executed(s->running) : 0);
}

enum {
    TICK_INSTRUCTIONS = 10
}; // mtime counts at 10 MHz, the machine executes 100 million a second

static inline uint64_t system_ticks(const struct system *s) {
    return system_now(s) / TICK_INSTRUCTIONS;
}
