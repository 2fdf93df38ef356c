// Execution backwards: from each moment that was kept, the latest first, the machine runs forwards
// to where the next one was, and what is looked for there is the last of its kind.
#include "debug/reverse.h"
#include "cpu/breakpoints.h"

static uint64_t now(const struct history *h) {
    return machine_time(h->machine);
}

static struct pause *pause_of(struct history *h) {
    return &h->machine->system.breakpoints.pause;
}

// Goes to where nothing is known about what was before.
static enum reverse_end go_to_beginning(struct history *h) {
    return history_go(h, history_first(h)) ? REVERSE_BEGINNING : REVERSE_NO_MEMORY;
}

static enum reverse_end go_back(struct history *h, uint64_t time, struct pause pause) {
    if (!history_go(h, time))
        return REVERSE_NO_MEMORY;
    *pause_of(h) = pause;
    return REVERSE_STOPPED;
}

bool reverse_access(struct history *h) {
    return go_back(h, now(h) - 1, *pause_of(h)) == REVERSE_STOPPED;
}

enum reverse_end reverse_step(struct history *h, unsigned hart) {
    const struct hart *stepped = &h->machine->system.harts[hart];
    for (uint64_t end = now(h); stepped->last_end == 0;) {
        if (end <= history_first(h))
            return go_to_beginning(h);
        uint64_t start = history_restore(h, end);
        if (start == UINT64_MAX)
            return REVERSE_NO_MEMORY;
        history_run_on(h, end);
        end = start;
    }
    if (stepped->last_end <= history_first(h))
        return go_to_beginning(h);
    return go_back(h, stepped->last_end - 1, (struct pause){.reason = PAUSE_STEP, .hart = hart});
}

// ---- Breakpoints and watchpoints ----

// The last stop before some time: the so-and-so-many-th after a moment.
struct last_stop {
    uint64_t moment;
    unsigned number; // 0: there was none
};

// Runs to where the machine stops, and lets it go on from there. Returns false if it does not.
static bool run_to_stop(struct history *h, uint64_t end) {
    if (history_run(h, end) != STOP_BREAKPOINT)
        return false;
    if (pause_of(h)->reason == PAUSE_BREAKPOINT)
        breakpoints_pass(&h->machine->system.harts[pause_of(h)->hart]);
    return true;
}

static struct last_stop find_last(struct history *h, uint64_t least, uint64_t end) {
    struct last_stop last = {UINT64_MAX, 0};
    unsigned number = 0;
    for (uint64_t moment = UINT64_MAX; run_to_stop(h, end);) {
        uint64_t latest = history_latest(h);
        number = latest == moment ? number + 1 : 1;
        moment = latest;
        h->pinned = latest;
        if (now(h) >= least)
            last = (struct last_stop){moment, number};
    }
    return last;
}

static enum reverse_end go_to_stop(struct history *h, struct last_stop last, uint64_t end) {
    if (history_restore(h, last.moment + 1) != last.moment)
        return REVERSE_NO_MEMORY;
    for (unsigned i = 0; i < last.number; i++)
        run_to_stop(h, end);
    h->pinned = UINT64_MAX;
    return REVERSE_STOPPED;
}

enum reverse_end reverse_run(struct history *h, uint64_t least, bool (*interrupts)(void *owner),
                             void *owner) {
    uint64_t end = now(h);
    h->machine->system.breakpoints.stepped = NULL;
    while (end > history_first(h) && end > least) {
        uint64_t start = history_restore(h, end);
        if (start == UINT64_MAX)
            return REVERSE_NO_MEMORY;
        struct last_stop last = find_last(h, least, end);
        if (last.number > 0)
            return go_to_stop(h, last, end);
        h->pinned = UINT64_MAX;
        if (interrupts != NULL && interrupts(owner))
            return REVERSE_INTERRUPTED;
        end = start;
    }
    if (least <= history_first(h))
        return go_to_beginning(h);
    return go_back(h, least, (struct pause){.hart = h->machine->turns.current});
}
