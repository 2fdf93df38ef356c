// What harts do, a line for each instruction and each trap. The run is the same as without it.
#pragma once
#include "debug/symbols.h"
#include "machine.h"

struct trace {
    struct listener listener; // the first member
    struct machine *machine;
    const struct symbols *symbols; // NULL: without names
    bool only_traps;
    uint64_t from; // time of the first instruction that is shown
    void (*put)(void *owner, const char *line);
    void *owner;
    struct registers before[HARTS_MAX]; // before the instruction that is executed
    struct trap {
        bool is_there;
        uint64_t cause, value, pc;
    } trap; // that it has raised
};

// Makes the machine tell what happens. The fields from `machine` to `owner` are set. It must not
// move.
void trace_init(struct trace *t);

// As machine_run.
enum machine_stop trace_run(struct trace *t, uint64_t until);
