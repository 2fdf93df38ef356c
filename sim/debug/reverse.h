// Execution backwards.
#pragma once
#include "debug/history.h"

enum reverse_end {
    REVERSE_STOPPED,     // the pause of system.breakpoints says why
    REVERSE_BEGINNING,   // nothing is known about what was before
    REVERSE_INTERRUPTED, // it was asked to end
    REVERSE_NO_MEMORY,   // the machine cannot go on
};

// Goes to before the last instruction that the hart has executed.
enum reverse_end reverse_step(struct history *h, unsigned hart);

// Goes to where the machine would last have stopped at a breakpoint, or to before the last access
// to watched data, or to the time `least` if that is later. `interrupts` is asked now and then
// whether to end; it may be NULL.
enum reverse_end reverse_run(struct history *h, uint64_t least, bool (*interrupts)(void *owner),
                             void *owner);
