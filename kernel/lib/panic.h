// Checks of what must be true, and what happens when it is not. A failure means the kernel is
// wrong; bad input never gets here.
#pragma once
#include <stdarg.h>

#include "abi/types.h"

// Stays on in all builds.
#define assert(condition) \
    ((condition) ? (void)0 : panic("%s:%d: not true: %s", __FILE__, __LINE__, #condition))

// Prints the message, hart, process and a backtrace, and powers off (under test) or halts.
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));
// Panics on behalf of the code at pc with that frame pointer.
_Noreturn void panic_at(uint64_t pc, uint64_t fp, const char *format, va_list arguments);
// describe prints what is known of the running process; end powers off, or returns if the machine
// is to stand still for its user.
void panic_set_hooks(void (*describe)(void), void (*end)(void));
// True once a hart panics: the others should stop.
bool panic_is_going_on(void);
