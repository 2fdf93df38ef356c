// Timers and interrupts between harts, for programs in machine mode (SiFive's CLINT), and the
// timers of supervisor mode, which are registers of the harts (Sstc).
#pragma once
#include "cpu/hart.h"

#define CLINT_START 0x02000000u
#define CLINT_BYTES 0x10000u

struct clint_registers {
    uint64_t compare[HARTS_MAX];
    // When the lines fall of timers that were set anew; 0: they have fallen.
    uint64_t falls_m[HARTS_MAX], falls_s[HARTS_MAX];
};

struct clint {
    struct clint_registers r;
    struct system *system;
};

void clint_init(struct clint *c, struct system *system);

// Sets the harts' interrupt lines as it must be now. Returns when the next timer rings, in system
// time; UINT64_MAX if none is set.
uint64_t clint_update(struct clint *c);
