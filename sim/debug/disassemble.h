// Instructions as text.
#pragma once
#include "cpu/operations.h"
#include "debug/symbols.h"

// What an instruction does with memory.
enum memory_use { USES_NOTHING, USES_LOAD, USES_STORE, USES_ATOMIC };

// Adds the decoded instruction at pc as assembly language writes it; compressed ones as those that
// they stand for.
void disassemble(struct text *t, const struct operation *op, uint64_t pc,
                 const struct symbols *symbols);

enum memory_use disassemble_memory_use(const struct operation *op);

// Returns how many bytes of memory the instruction uses, 0 if none.
unsigned disassemble_memory_bytes(const struct operation *op);
