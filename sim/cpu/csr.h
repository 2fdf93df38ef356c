// Control and status registers.
#pragma once
#include "cpu/hart.h"

// Read or write a register with the hart's privilege. Return false if there is no such register, or
// the privilege does not suffice; `writes` tells whether the instruction also writes.
bool csr_read(struct hart *h, unsigned number, bool writes, uint64_t *value);
bool csr_write(struct hart *h, unsigned number, uint64_t value);

// Returns the value whose bits csrrs and csrrc set and clear: what was read, but for the bits of
// mip that a device sets, which must not become bits that software has set.
uint64_t csr_base(const struct hart *h, unsigned number, uint64_t read);
