// Execution backwards.
#pragma once
#include "debug/history.h"

enum reverse_end {
    REVERSE_STOPPED,     // the pause of system.breakpoints says why
    REVERSE_BEGINNING,   // nothing is known about what was before
    REVERSE_INTERRUPTED, // it was asked to end
    REVERSE_NO_MEMORY,   // the machine cannot go on
};

// Debuggers expect that a machine stops before an access to watched data when it runs forwards,
// and after it when it runs backwards; then they execute it themselves. Goes to before the access
// after which the machine has just stopped. Returns false without memory.
bool reverse_access(struct history *h);

// Goes to before the last instruction that the hart has executed.
enum reverse_end reverse_step(struct history *h, unsigned hart);

// Goes to where the machine would last have stopped at a breakpoint, or after an access to watched
// data, or to the time `least` if that is later. `interrupts` is asked now and then
// whether to end; it may be NULL.
enum reverse_end reverse_run(struct history *h, uint64_t least, bool (*interrupts)(void *owner),
                             void *owner);
