// Harts: starting them, their interrupts and their time.
#pragma once
#include "abi/types.h"
#include "arch/thread.h"

enum { HARTS_MAX = 8 };

// ---- Starting ----

// Prepares the running hart for traps, and finds its timer. Interrupts are taken in user mode only.
void hart_init(void);

// Starts the hart with that hardware id, in main_secondary on the stack of its idle thread. Errors:
// -EIO.
int hart_start(unsigned id, struct thread *idle);

// ---- Interrupts ----

// Interrupts another hart.
void hart_notify(unsigned id);

// Returns the pending interrupt of the highest priority (enum interrupt), or 0. A software
// interrupt is acknowledged; the others stay pending until they are served.
unsigned hart_take_interrupt(void);

// Sleeps until an interrupt is pending. It is not taken: the caller serves it.
void hart_wait(void);

// ---- Time ----

// Interrupts this hart when the time counter reaches deadline (UINT64_MAX: never).
void hart_set_timer(uint64_t deadline);

// Returns the time counter, which all harts share.
uint64_t hart_time(void);

// Returns how many instructions this hart has executed.
uint64_t hart_instructions(void);

// ---- The firmware ----

// Writes to the firmware's console, a byte at a time.
void firmware_write(const char *text, size_t n);

// Powers off. Returns if the firmware cannot do that.
void firmware_power_off(bool failure);
