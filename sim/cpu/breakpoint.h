// Where a machine stops: before instructions at some addresses, after accesses to some data, and
// after one instruction of a hart. Addresses are virtual, and those of all address spaces. Nothing
// here is a part of the machine's state, and nothing costs time where there are no breakpoints.
#pragma once
#include "memory/paged.h"

struct hart;

enum { BREAKPOINTS_MAX = 64, WATCHPOINTS_MAX = 16 };
enum { WATCH_READS = 1, WATCH_WRITES = 2 };

struct watchpoint {
    uint64_t start, bytes;
    unsigned kinds; // WATCH_READS, WATCH_WRITES
};

enum pause_reason { NO_PAUSE, PAUSE_BREAKPOINT, PAUSE_WATCHPOINT, PAUSE_STEP, PAUSE_EVENT };

// Why the machine has stopped. At a breakpoint, the instruction is not yet executed; at a
// watchpoint, and after an event (debug/events.h), it is.
struct pause {
    enum pause_reason reason;
    unsigned hart;
    uint64_t address;        // of the instruction, or of the watched data
    struct watchpoint watch; // the one that was hit
};

struct breakpoints {
    bool are_off; // while the machine runs to where it has been before
    unsigned count, watch_count;
    uint64_t addresses[BREAKPOINTS_MAX];
    struct watchpoint watched[WATCHPOINTS_MAX];
    const struct hart *stepped; // stops after its next instruction; NULL: none does
    struct pause pause;
    uint64_t passed_time, passed_pc; // an instruction that is to be executed in spite of all
};

// True if each access to the page of that address must be looked at.
static inline bool breakpoints_watch_page(const struct breakpoints *b, uint64_t va) {
    uint64_t page = va / PAGE_BYTES;
    for (unsigned i = 0; i < b->watch_count; i++) {
        const struct watchpoint *w = &b->watched[i];
        if (w->start / PAGE_BYTES == page || (w->start + w->bytes - 1) / PAGE_BYTES == page)
            return true;
    }
    return false;
}
