// Executables: the parts of ELF-64 that are needed here (System V ABI, chapters 4 and 5), and their
// checks.
#pragma once
#include "abi/types.h"

enum { ELF_EXECUTABLE = 2, ELF_RISCV = 243, ELF_SEGMENTS_MAX = 64 };
enum { ELF_LOAD = 1, ELF_STACK = 0x6474e551 };         // types of segments
enum { ELF_EXECUTE = 1, ELF_WRITE = 2, ELF_READ = 4 }; // flags of segments
enum { ELF_SYMBOL_TABLE = 2, ELF_FUNCTION = 2 };       // types of a section, of a symbol

struct elf_header {
    uint8_t ident[16]; // 0x7f E L F, class 2 (64 bits), data 1 (little-endian), version 1
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, segment_offset, section_offset;
    uint32_t flags;
    uint16_t header_size, segment_size, segment_count, section_size, section_count, section_names;
};

struct elf_segment {
    uint32_t type, flags;
    uint64_t offset, address, physical_address, file_size, memory_size, alignment;
};

struct elf_section {
    uint32_t name, type;
    uint64_t flags, address, offset, size;
    uint32_t link, info; // of a symbol table, link: the section with the names
    uint64_t alignment, entry_size;
};

struct elf_symbol {
    uint32_t name; // its offset in the section of names
    uint8_t info;  // low four bits: type
    uint8_t other;
    uint16_t section;
    uint64_t value, size;
};

// Checks the header of an executable. Errors: -ENOEXEC.
int elf_check_header(const struct elf_header *h);

// Checks a segment to load: its bytes are in the file, its memory is below `end`, and both have the
// same offset within a page unless the memory starts at a page boundary. Errors: -ENOEXEC.
int elf_check_segment(const struct elf_segment *s, uint64_t file_bytes, vaddr_t end);
