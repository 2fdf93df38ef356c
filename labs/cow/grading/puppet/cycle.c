// The same fork, writes and end of a child again and again, so that every frame that is lost
// counts.
#include "probe.h"

enum way { BY_EXIT, BY_EXEC, BY_KILL, BY_FAULT, BY_ORPHAN };
enum { EXIT_REPLACED = 99, EXIT_NOT_WRITTEN = 98 };
enum { CYCLE_PAGES = 8 }; // the last of the heap, all of which parent and child share

// How a child ends that has copies of its own. If that is the way, a child of its own outlives it.
_Noreturn static void end_child(uint64_t way) {
    if (way == BY_EXEC)
        system_call(EXEC, (uint64_t)path_program, (uint64_t)last_arguments, 0);
    while (way == BY_KILL)
        system_call(SLEEP, 1, 0, 0);
    if (way == BY_FAULT)
        jump((uint64_t)&zero_pages[1][WORDS_OF_PAGE / 2]); // zeroes are no instructions
    if (way == BY_ORPHAN && system_call0(FORK) == 0)
        system_call(SLEEP, 1, 0, 0);
    leave(way == BY_EXEC || way == BY_FAULT ? EXIT_REPLACED : 0);
}

// A child writes to a page of its own each time: by itself, by system calls, and it gives one back.
static long write_each_way(uint64_t address, uint64_t reading, uint64_t file) {
    *(volatile uint64_t *)address = 1;
    return system_call(READ, reading, address + PAGE, 1) == 1 &&
           system_call(FSTAT, file, address + 4 * PAGE, 0) == 0 &&
           system_call(PIPE, address + 5 * PAGE, 0, 0) == 0 &&
           system_call(READ, file, address + 6 * PAGE, 1) >= 0 && sbrk(-PAGE) != ~0UL;
}

// A round: the child writes, the parent stores to the third page, wait() stores to the fourth, and
// the parent, which has all to itself then, stores to the others. So each round breaks at least six
// pages and frees as many frames.
static long cycle_once(uint64_t address, uint64_t fds, uint64_t way) {
    volatile int *status = (volatile int *)(address + 3 * PAGE);
    long wrong = system_call(WRITE, fds >> 16 & 0xffff, address, 1) != 1, pid = system_call0(FORK);
    if (pid == 0) {
        if (!write_each_way(address, fds & 0xffff, fds >> 32))
            leave(EXIT_NOT_WRITTEN);
        end_child(way);
    }
    if (pid < 0)
        return -1;
    *(volatile uint64_t *)(address + 2 * PAGE) = 1;
    if (way == BY_KILL)
        wrong += system_call(KILL, (uint64_t)pid, 0, 0) != 0;
    for (uint64_t ended = 0; ended < 1 + (way == BY_ORPHAN); ended++) {
        wrong += system_call(WAIT, (uint64_t)status, 0, 0) < 0;
        wrong += way != BY_KILL && way != BY_FAULT && *status != 0;
    }
    for (uint64_t page = 0; page < CYCLE_PAGES; page++)
        *(volatile uint64_t *)(address + page * PAGE + 8) = 1;
    return wrong;
}

// As often as it takes to see what each round loses.
long cycle(uint64_t address, uint64_t times, uint64_t fds, uint64_t way) {
    long wrong = 0;
    for (; times > 0; times--) {
        long more = cycle_once(address, fds, way);
        if (more < 0)
            return -1;
        wrong += more;
    }
    return wrong;
}
