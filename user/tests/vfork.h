// What the vfork tests share: how a test makes a child that borrows its memory, a heap with a
// pattern to lend, and a record of the order in which parent and child ran. A function that calls
// vfork must not return in the child. What both sides use is static or volatile, so that it is in
// memory.
#pragma once

#include "abi/memory.h"
#include "support.h"
#include "test.h"

// vfork that must work; it has to be called in the function that stays: 0 in the child.
#define TEST_VFORK() \
    ({ \
        pid_t pid_ = vfork(); \
        if (pid_ < 0) \
            FAIL("expected vfork to work, saw: %s", strerror(errno)); \
        pid_; \
    })

// The statement that follows runs in a child made by vfork, which then exits with status 0.
#define IN_VFORK_CHILD for (; TEST_VFORK() == 0; test_exit())

enum { HEAP_PAGES = 64, PATTERN = 0x5a };

// For a test to count in.
extern volatile int counter;

// What vfork_set_up makes: a heap of HEAP_PAGES pages in which each byte is PATTERN, and what
// memstat said after that.
extern char *heap;
extern struct memstat before;
void vfork_set_up(void);

// Ends the test unless the heap still has the pattern.
void check_heap(void);

// Grows the heap by that many pages, which begin at a page boundary.
char *heap_grow_pages(int pages);

// Appends a letter for the process that calls it to the record, and compares the whole record.
void note(char who);
void check_order(const char *expected);

// What procinfo says of a process, which must exist.
enum process_state state_of(pid_t pid);
pid_t parent_of(pid_t pid);

// Executes usertests under the name arguments[0] in a child made by vfork, connected by two pipes.
struct helper vfork_start(char **arguments);

// Makes children one after the other: of four, three exit and one executes a program. Each must
// have written into the parent's memory.
void vfork_rounds(int rounds);
