// Feeds the checks of executables with random headers: what they accept must keep the bounds that
// exec relies on.
#include <stdlib.h>
#include <string.h>

#include "abi/types.h"
#include "arch/address.h"
#include "proc/elf.h"

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

struct input {
    struct elf_header header;
    struct elf_segment segment;
    uint64_t file_bytes;
    uint64_t end;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_segment(const struct elf_segment *s, uint64_t file_bytes, vaddr_t end) {
    unsigned __int128 file_end = (unsigned __int128)s->offset + s->file_size;
    unsigned __int128 memory_end = (unsigned __int128)s->address + s->memory_size;
    REQUIRE(file_end <= file_bytes && memory_end <= end && s->file_size <= s->memory_size);
    // exec's region: its first page begins at a page of the file, or the segment begins a page
    REQUIRE(s->address % PAGE_SIZE == 0 || s->offset % PAGE_SIZE == s->address % PAGE_SIZE);
    REQUIRE(s->offset >= s->address % PAGE_SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t ident[] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
    struct input in = {0};
    memcpy(&in, data, size < sizeof in ? size : sizeof in);
    if (elf_check_header(&in.header) == 0) {
        REQUIRE(memcmp(in.header.ident, ident, sizeof ident) == 0);
        REQUIRE(in.header.type == 2 && in.header.machine == 243 && in.header.segment_size == 56);
        REQUIRE(in.header.segment_count >= 1 && in.header.segment_count <= ELF_SEGMENTS_MAX);
    }
    vaddr_t end = in.end % (USER_END + 1);
    uint64_t file_bytes = in.file_bytes % (1ull << 31);
    struct elf_segment small = in.segment; // the same with numbers that have a chance
    small.offset %= 1 << 16, small.address %= 1 << 20, small.file_size %= 1 << 16,
        small.memory_size %= 1 << 20;
    if (elf_check_segment(&in.segment, file_bytes, end) == 0)
        check_segment(&in.segment, file_bytes, end);
    if (elf_check_segment(&small, file_bytes % (1 << 17), end) == 0)
        check_segment(&small, file_bytes % (1 << 17), end);
    return 0;
}
