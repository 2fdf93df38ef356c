// What the tests of shared memory share: the mapping, and a child that has it.
#pragma once

#include "mmap.h"

enum { SHARED_PAGES = 8 };

// Maps that many pages as shared memory.
char *map_shared(void);

// The page of a process that holds *p.
struct pageinfo page_of(pid_t pid, const void *p);

// Fills memory that map_shared has returned with threes.
void fill_with_threes(char *memory);

// A child that first does some work with a mapping (NULL: none) and then waits for companion_end.

// A child that waits to be told that it may end, once it has come to wait.
struct companion {
    pid_t pid;
    int go, ready;
};

// Returns when the child waits.
struct companion companion_start(void (*work)(char *memory), char *memory);
void companion_end(struct companion *c);
