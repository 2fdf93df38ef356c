// The interrupt controller (RISC-V Platform-Level Interrupt Controller, at QEMU's addresses). Each
// hart has two contexts: its machine mode and its supervisor mode.
#pragma once
#include "cpu/hart.h"

enum { PLIC_SOURCES = 96, PLIC_WORDS = PLIC_SOURCES / 32, PLIC_CONTEXTS = 2 * HARTS_MAX };

#define PLIC_START 0x0c000000u
#define PLIC_BYTES 0x600000u

struct plic_registers {
    uint32_t priority[PLIC_SOURCES];
    uint32_t pending[PLIC_WORDS];
    uint32_t claimed[PLIC_WORDS];
    uint32_t enable[PLIC_CONTEXTS][PLIC_WORDS];
    uint32_t threshold[PLIC_CONTEXTS];
    uint64_t due[PLIC_CONTEXTS]; // when the hart hears that its line has changed; 0: it has
};

struct plic {
    struct plic_registers r;
    struct system *system;
};

void plic_init(struct plic *p, struct system *system);

// A device asks for that interrupt, or stops asking. As in QEMU, it is pending once each time it is
// asked for: a device that goes on asking after it was served must say so again. Old xv6 depends on
// that, as it leaves the serial line's interrupt as it is.
void plic_set(struct plic *p, unsigned irq, bool asks);

// Tells harts what they have not heard yet. Returns when there is more, in system time; UINT64_MAX
// if all know.
uint64_t plic_update(struct plic *p);
