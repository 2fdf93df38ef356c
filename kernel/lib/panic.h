// Assertions, and the end of a kernel that is wrong. Bad input never leads here.
#pragma once
#include <stdarg.h>

#include "abi/types.h"

// Checked in all builds.
#define assert(condition) \
    ((condition) ? (void)0 : panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #condition))

// Prints the message, hart, process and a backtrace, and powers off (under test) or halts.
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Panics on behalf of the code at pc with that frame pointer.
_Noreturn void panic_at(uint64_t pc, uint64_t fp, const char *format, va_list arguments);

// describe prints what is known of the running process. end powers off, or returns to leave the
// machine halted, so that its user can read the message.
void panic_set_hooks(void (*describe)(void), void (*end)(void));

// True once a hart has panicked: the others should stop.
bool panic_has_begun(void);
