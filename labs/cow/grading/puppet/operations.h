// The commands that the grader gives to the probe. It reads their names and numbers in this file.
#pragma once

enum operation {
    OP_PAUSE = 1, // ticks
    OP_CALL = 2,  // system call number, three arguments

    // Memory. What a command returns comes after the colon.
    OP_FILL = 3,   // address, words, seed
    OP_CHECK = 4,  // address, words, seed: how many words are wrong, where the first one is
    OP_STORE = 5,  // address, value, bytes
    OP_LOAD = 6,   // address, bytes: the value
    OP_ADD = 7,    // address, value: what was there before; atomically
    OP_JUMP = 8,   // address of a function: what it returns
    OP_TOUCH = 21, // address, pages: stores a word into each
    OP_SUM = 22,   // address, pages: the sum of all words; the grader stops it at page_begins
    // First step, most, stride, ahead, in pages: touches so many pages ahead, then takes all there
    // are and touches every stride-th and the last; how many it has then, -1: without end.
    OP_HOARD = 11,
    // Descriptor, address, bytes: loads, reads to there, loads again; that, and what read returned.
    OP_READ_LOAD = 17,

    // Children
    OP_WAIT = 9, // none: pid, status
    // Address, two values: stores the first, forks, stores the second at once in the parent.
    OP_FORK_STORE = 12,
    // Times and pipe << 16, address, words, seed: what the last fork returned; see fork_reap.
    OP_FORK_REAP = 13,
    // Descriptor of a pipe: forks until that fails, each child awaits a byte; how many there are.
    OP_FORK_MANY = 14,
    OP_AWAIT = 15, // descriptor of a pipe: reads a byte and exits if it is 0
    OP_REAP = 16,  // n: waits for n children; how many ended with anything but 0
    // Address, times, pipe and file, way: how often something was wrong, -1: no fork; see cycle.
    OP_CYCLE = 23,
    OP_FORK_LOOK = 25, // address of a word, its value: what fork returned; see fork_look

    // Races
    OP_RACE_WRITERS = 18, // address, pages, rounds, seed: how many words were wrong
    OP_RACE_OWNERS = 19,  // the same
    OP_RACE_CHURN = 20,   // the same
    OP_GO = 24,           // ends a meeting: the race continues, and nothing else is to be done
};
