// Where a machine stops: before instructions at some addresses, after accesses to some data, and
// after one instruction of a hart. Addresses are virtual, and those of all address spaces. Nothing
// here is a part of the machine's state, and nothing costs time where there are no breakpoints.
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct hart;
struct system;

enum { BREAKPOINTS_MAX = 64, WATCHPOINTS_MAX = 16 };
enum { WATCH_READS = 1, WATCH_WRITES = 2 };

struct watchpoint {
    uint64_t start, bytes;
    unsigned kinds; // WATCH_READS, WATCH_WRITES
};

enum pause_reason { NO_PAUSE, PAUSE_BREAKPOINT, PAUSE_WATCHPOINT, PAUSE_STEP };

// Why the machine has stopped. At a breakpoint, the instruction is not yet executed; at a
// watchpoint it is.
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

// Add or remove one. Adding returns false if there is no room, or the address is odd; removing, if
// there is none.
bool breakpoints_add(struct system *s, uint64_t pc);
bool breakpoints_remove(struct system *s, uint64_t pc);
bool breakpoints_watch(struct system *s, struct watchpoint w);
bool breakpoints_unwatch(struct system *s, struct watchpoint w);
void breakpoints_remove_all(struct system *s);

// The hart's next instruction will not be stopped by a breakpoint, if it is executed now.
void breakpoints_pass(const struct hart *h);

// True if some breakpoint has that place in a page, so that the instruction there is to be looked
// at each time.
bool breakpoints_may_be_at(const struct breakpoints *b, uint64_t pc);

// Called before the instruction at pc is fetched. Returns true if it must not be executed.
bool breakpoints_stop(struct hart *h, uint64_t pc);

// True if each access to the page of that address must be looked at.
bool breakpoints_watch_page(const struct breakpoints *b, uint64_t va);

// Called for each access to such a page: ends the hart's turn if the data is watched.
void breakpoints_accessed(struct hart *h, uint64_t va, unsigned bytes, unsigned kind);

// Returns how many of these instructions the hart may execute in its turn.
uint64_t breakpoints_limit(const struct hart *h, uint64_t instructions);

// Called after a turn in which the hart has executed at least one instruction.
void breakpoints_turn_ended(const struct hart *h);
