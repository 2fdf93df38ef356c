// The names of control and status registers.
#pragma once
#include <stddef.h>
#include <stdint.h>

struct csr_name {
    uint16_t number;
    const char *name;
};

// In the order of their numbers.
extern const struct csr_name csr_names[];
extern const size_t csr_name_count;

// Returns NULL for a register without a name.
const char *csr_name_find(unsigned number);
