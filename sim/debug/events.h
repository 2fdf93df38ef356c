// What a machine does that a learner of operating systems wants to see: traps, page faults, changes
// of page tables, fences, and switches to another page table. The run is the same as without; where
// nobody asks for events, they cost nothing.
#pragma once
#include "debug/tables.h"
#include "machine.h"

// Of a set of them, a bit for each.
enum event_kind {
    EVENT_TRAP = 1,   // an exception or an interrupt, but for
    EVENT_FAULT = 2,  // a page fault
    EVENT_ENTRY = 4,  // an entry of a page table is another one now
    EVENT_FENCE = 8,  // a hart forgets translations, or instructions
    EVENT_SWITCH = 16 // a hart has another satp
};

// Who has changed an entry.
enum event_cause {
    BY_STORE,    // an instruction
    BY_HARDWARE, // the walk, which sets A and D
    BY_DEVICE,
    BY_NOBODY, // it was found: the page is read as a table now, and was not before
};

#define NO_HART UINT64_MAX

// Fields that a kind does not name are 0.
struct event {
    uint64_t kind;
    uint64_t time; // of the instruction, as in a trace
    uint64_t hart; // NO_HART: it was none
    uint64_t pc;   // of the instruction, or of where an interrupt came
    // Traps and page faults: scause and stval, or mcause and mtval; the modes.
    uint64_t cause, value;
    uint64_t from, to; // enum privilege
    // Entries: where in memory, what it was and is. Switches: satp, before and after.
    uint64_t address, before, after;
    uint64_t by; // enum event_cause
    // Entries: of which table, and the first virtual address that it translates.
    uint64_t level, va, root;
    // Fences: virtual address and address space, or TLB_ALL.
    uint64_t fenced, space;
    uint64_t is_code; // instructions are fenced
};

struct events {
    struct observer observer; // the first member
    struct listener listener;
    struct machine *machine;
    // Returns true if the machine is to stop after the instruction, with STOP_EVENT.
    bool (*happened)(void *owner, const struct event *e);
    void *owner;
    uint64_t wanted; // enum event_kind, together
    struct tables tables;
    struct event change; // who changes a table, at present
};

// Makes it ready for use. The fields up to `owner` are set. It must not move. Returns false without
// memory.
bool events_init(struct events *e);
void events_destroy(struct events *e);

// From now on, what happens of these kinds is reported. With EVENT_ENTRY, what is new in the tables
// since the last time is reported at once, as found. No schedule, trace or other listener is on.
void events_begin(struct events *e, uint64_t kinds);
void events_end(struct events *e);
