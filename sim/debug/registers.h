// A stopped hart's registers, by the numbers that debuggers give them. Reading changes nothing.
#pragma once
#include "cpu/hart.h"

// 0 to 31 are x0 to x31; then come these, and CSRs at their numbers from REGISTER_CSR on.
enum { REGISTER_PC = 32, REGISTER_PRIVILEGE = 64, REGISTER_CSR = 128 };

// Return false if there is no such register, or it cannot be written. What cannot be changed in a
// register stays as it is.
bool registers_read(struct hart *h, unsigned number, uint64_t *value);
bool registers_write(struct hart *h, unsigned number, uint64_t value);

// Returns x0's name, zero, and so on.
const char *registers_name(unsigned number);
