// What the two parts of forkcmp share: what is measured (forkcmp.c), and the table that shows it
// (forkcmp_table.c).
#pragma once

#include "cow6.h"
#include "tool.h"

// The sizes of the parent's heap, in MiB.
static const unsigned heap_sizes[] = {0, 1, 4, 16, 64};

// What the child does: writes to a percentage of the heap's pages, or executes a program.
enum { EXEC = -1 };
static const int acts[] = {0, 10, 50, 100, EXEC};

enum { HEAPS = ARRAY_SIZE(heap_sizes), ACTS = ARRAY_SIZE(acts) };

enum kind { EAGER, COW, VFORK, KINDS };

enum state { MISSING, MEASURED, NO_MEMORY };

struct result {
    uint32_t state;
    uint32_t frames; // taken before the child runs its first own instruction
    uint32_t faults;
    uint32_t copies;       // of pages, by fork itself or by faults
    uint64_t instructions; // 0: they are not counted
};

extern struct result table[KINDS][HEAPS][ACTS];

void table_print(void);

// Prints how many percent of eager fork's instructions copy-on-write takes.
void prices_print(void);
