// Assertions, and the panic that follows when the kernel finds a bug in itself. Bad input never
// leads here.
#pragma once
#include <stdarg.h>

#include "abi/types.h"

// Checked in all builds.
#define assert(condition) \
    ((condition) ? (void)0 : panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #condition))

// 1 after `make DEBUG=1`: for checks that would cost too much in other builds.
#ifndef DEBUG
#define DEBUG 0
#endif

// Prints the message, the hart, the process and a backtrace, then powers off (under test) or halts.
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Panics on behalf of the code at pc with that frame pointer.
_Noreturn void panic_at(uint64_t pc, uint64_t fp, const char *format, va_list arguments);

// Sets what a panic calls: describe, to print what is known about the running process, and end, to
// power off. If end returns, the machine stays halted, so that its user can read the message.
void panic_set_hooks(void (*describe)(void), void (*end)(void));

// True once a hart has panicked: then the others should stop.
bool panic_has_begun(void);
