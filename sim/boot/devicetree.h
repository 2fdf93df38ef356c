// Describes the machine to a kernel, as a flattened device tree (Devicetree Specification, chapter
// 5).
#pragma once
#include <stdint.h>

enum { DEVICETREE_BYTES_MAX = 16384 };

struct devicetree_machine {
    unsigned harts;
    uint64_t memory_bytes;
    const char *arguments; // the kernel's command line
};

// Writes the tree. Returns its size; 0 if it does not fit.
uint32_t devicetree_make(uint8_t tree[DEVICETREE_BYTES_MAX], const struct devicetree_machine *m);
