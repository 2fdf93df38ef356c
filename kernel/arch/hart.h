// Harts: starting them, the interrupts they take, time.
#pragma once
#include "abi/types.h"
#include "arch/thread.h"

enum { HARTS_MAX = 8 };

// Prepares the running hart for traps; interrupts are taken in user mode only.
void hart_init(void);
// Starts the hart with that hardware id on the idle thread's stack (main_secondary). Errors: -EIO.
int hart_start(unsigned id, struct thread *idle);
// Interrupts another hart.
void hart_notify(unsigned id);
// Interrupts this hart when the time counter reaches deadline. (UINT64_MAX: never.)
void hart_set_timer(uint64_t deadline);
uint64_t hart_time(void);
uint64_t hart_instructions(void); // executed by this hart
// Takes the pending interrupt of the highest priority (enum interrupt) away: acknowledges it if it
// is a software interrupt. Returns 0 if there is none.
unsigned hart_take_interrupt(void);
// Sleeps until an interrupt is pending. It is not taken: the caller serves it.
void hart_wait(void);

// The firmware's console, a byte at a time, and its way to power off, which may return.
void firmware_write(const char *text, size_t n);
void firmware_power_off(bool failure);
