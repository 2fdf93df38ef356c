// Reads programs in ELF files (64 bits, little-endian).
#pragma once
#include "cpu/hart.h"

struct elf_program {
    uint64_t start, end; // physical addresses of the first byte, and behind the last one
};

// Puts the segments where the file says, by their physical addresses. Returns NULL, or what is
// wrong.
const char *elf_load(struct system *s, const uint8_t *file, uint64_t bytes, struct elf_program *p);

bool elf_is(const uint8_t *file, uint64_t bytes);
