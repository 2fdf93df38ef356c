// The parts of an ELF file (64 bits, little-endian), as they lie in the file.
#pragma once
#include <stdint.h>

struct elf_header {
    uint8_t magic[4], class, data, version, others[9];
    uint16_t type, machine;
    uint32_t version_again;
    uint64_t entry, segments, sections;
    uint32_t flags;
    uint16_t size, segment_size, segment_count, section_size, section_count, names;
};

struct elf_segment {
    uint32_t type, flags;
    uint64_t offset, virtual_address, physical_address, file_bytes, memory_bytes, align;
};

struct elf_section {
    uint32_t name, type;
    uint64_t flags, address, offset, bytes;
    uint32_t link, info;
    uint64_t align, entry_bytes;
};

struct elf_symbol {
    uint32_t name;
    uint8_t info, other;
    uint16_t section;
    uint64_t address, bytes;
};

enum { ELF_SEGMENT_LOADED = 1, ELF_SECTION_SYMBOLS = 2, ELF_SECTION_CODE = 4 };
enum { ELF_SYMBOL_UNTYPED = 0, ELF_SYMBOL_OBJECT = 1, ELF_SYMBOL_FUNCTION = 2 };
