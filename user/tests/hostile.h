// What the hostile tests share: pointers that no good program would pass, and a state that must not
// change when they are refused.
#pragma once

#include "abi/syscall.h"
#include "support.h"
#include "test.h"

enum { NUMBERS_MAX = 200 };

#define NUMBER(number, name) SYSCALL_##name = (number),
enum { SYSCALLS(NUMBER) };

// Pointers at which nothing can be read, and pointers at which nothing can be written.
enum { UNREADABLE_COUNT = BAD_ADDRESS_COUNT + 3, UNWRITABLE_COUNT = BAD_ADDRESS_COUNT + 5 };
extern uintptr_t unreadable[UNREADABLE_COUNT];
extern uintptr_t unwritable[UNWRITABLE_COUNT];

extern const char constants[PAGE_BYTES]; // a page that only reading may touch
extern char *edge;                       // the first byte after the heap, which has some pages
extern int file, ends[2]; // an open file of the pattern, and a pipe that holds 100 bytes

// Makes all of these.
void hostile_set_up(void);

// Ends the test if what hostile_set_up made has changed.
void check_unchanged(void);
