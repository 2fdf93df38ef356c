// The test finisher (SiFive), with which a program ends the machine.
#pragma once
#include "memory/bus.h"

#define FINISHER_START 0x00100000u
#define FINISHER_BYTES 0x1000u

struct finisher {
    uint32_t written; // 0: nothing yet
};

enum { FINISHER_FAIL = 0x3333, FINISHER_PASS = 0x5555, FINISHER_RESET = 0x7777 };

void finisher_init(struct finisher *f, struct bus *bus);
