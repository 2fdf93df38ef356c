// Executables: the parts of ELF-64 that matter here (System V ABI, chapters 4 and 5), and their checks.
#pragma once

#include "abi/types.h"

enum {
    ELF_TYPE_EXECUTABLE = 2,
    ELF_MACHINE_RISCV = 243,
    ELF_SEGMENT_LOAD = 1,
    ELF_SEGMENT_STACK = 0x6474e551, // its memory_size is the size of the stack
    ELF_EXECUTE = 1,                // segment flags
    ELF_WRITE = 2,
    ELF_READ = 4,
    ELF_SEGMENTS_MAX = 64,
    ELF_SECTION_SYMBOLS = 2,
    ELF_SYMBOL_FUNCTION = 2,
};

struct elf_header {
    uint8_t ident[16]; // 0x7f E L F, class 2 (64 bits), data 1 (little-endian), version 1
    uint16_t type;
    uint16_t machine;
    uint32_t version;
    uint64_t entry;
    uint64_t segment_offset;
    uint64_t section_offset;
    uint32_t flags;
    uint16_t header_size;
    uint16_t segment_size;
    uint16_t segment_count;
    uint16_t section_size;
    uint16_t section_count;
    uint16_t section_names;
};

struct elf_segment {
    uint32_t type;
    uint32_t flags;
    uint64_t offset;
    uint64_t address;
    uint64_t physical_address;
    uint64_t file_size;
    uint64_t memory_size;
    uint64_t alignment;
};

struct elf_section {
    uint32_t name;
    uint32_t type;
    uint64_t flags;
    uint64_t address;
    uint64_t offset;
    uint64_t size;
    uint32_t link; // of a symbol table: the section with the names
    uint32_t info;
    uint64_t alignment;
    uint64_t entry_size;
};

struct elf_symbol {
    uint32_t name; // offset in the names
    uint8_t info;  // low four bits: type
    uint8_t other;
    uint16_t section;
    uint64_t value;
    uint64_t size;
};

// Errors: -ENOEXEC.
int elf_check_header(const struct elf_header *h);

// Checks a segment to load: its bytes lie in the file, its memory below `end`, and both have the
// same place in a page if the memory does not start at one. Errors: -ENOEXEC.
int elf_check_segment(const struct elf_segment *s, uint64_t file_bytes, vaddr_t end);
