// Checks of executables.
#include "proc/elf.h"
#include "abi/errno.h"
#include "arch/address.h"
#include "lib/string.h"

int elf_check_header(const struct elf_header *h) {
    static const uint8_t ident[] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
    bool good = memcmp(h->ident, ident, sizeof ident) == 0 && h->type == ELF_EXECUTABLE &&
                h->machine == ELF_RISCV && h->segment_size == sizeof(struct elf_segment) &&
                h->segment_count > 0 && h->segment_count <= ELF_SEGMENTS_MAX;
    return good ? 0 : -ENOEXEC;
}

int elf_check_segment(const struct elf_segment *s, uint64_t file_bytes, vaddr_t end) {
    bool in_file = s->file_size <= file_bytes && s->offset <= file_bytes - s->file_size;
    bool in_memory = s->memory_size <= end && s->address <= end - s->memory_size;
    bool congruent = s->address % PAGE_SIZE == 0 || (s->address - s->offset) % PAGE_SIZE == 0;
    return in_file && in_memory && congruent && s->file_size <= s->memory_size ? 0 : -ENOEXEC;
}
