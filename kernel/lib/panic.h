// What happens at a panic (lib/assert.h).
#pragma once

#include <stdarg.h>

#include "abi/types.h"

struct panic_hooks {
    void (*describe)(void); // prints what is known of the running process
    void (*end)(void);      // powers off; returns if the machine is to stand still for its user
};

void panic_set_hooks(const struct panic_hooks *h);

// Panics on behalf of the code at pc with that frame pointer.
_Noreturn void panic_at(uint64_t pc, uint64_t fp, const char *format, va_list arguments);

// True once a hart panics: the others should stop.
bool panic_is_going_on(void);
