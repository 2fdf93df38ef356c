// Program files built byte by byte, good and bad ones, and what comes of executing them (ELF-64 as
// the System V ABI and its RISC-V supplement describe it).
#pragma once

#include "support.h"

enum {
    STATUS_REFUSED = 200, // plus errno: of a child whose exec failed and which is unharmed
    STATUS_HARMED = 199,  // of one whose exec failed and changed something
    STATUS_RAN = 42,      // of the program in the images
    PT_LOAD = 1,
    FLAG_EXEC = 1,
    FLAG_WRITE = 2,
    FLAG_READ = 4,
    IMAGE_START = 0x10000,
};

struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_segment {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

// A program file of three pages: headers; text; data.
struct image {
    struct elf_header header;
    struct elf_segment segments[4];
    uint8_t gap[PAGE_BYTES - sizeof(struct elf_header) - 4 * sizeof(struct elf_segment)];
    uint32_t text[PAGE_BYTES / 4];
    uint32_t data[PAGE_BYTES / 4];
};

// A good image, in the same place each time: a test may change it.
struct image *image_make(void);

// Execute a path, a file of these bytes or an image in a child; return its status: the new
// program's, or one of those above.
int status_of_exec(const char *path);
int status_of_bytes(const void *bytes, size_t size);
int status_of_image(const struct image *image);
