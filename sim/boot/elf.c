// Reads ELF files, which are not trusted.
#include "boot/elf.h"
#include "boot/elf_format.h"
#include "cpu/physical.h"

#include <string.h>

enum { CLASS_64 = 2, LITTLE_ENDIAN_DATA = 1, RISCV = 243, SEGMENTS_MAX = 64 };

bool elf_is(const uint8_t *file, uint64_t bytes) {
    return bytes >= 4 && memcmp(file, "\177ELF", 4) == 0;
}

static const char *load_segment(struct system *s, const uint8_t *file, uint64_t bytes,
                                const struct elf_segment *segment) {
    if (segment->offset > bytes || segment->file_bytes > bytes - segment->offset)
        return "the file ends within a segment";
    if (segment->file_bytes > segment->memory_bytes)
        return "a segment is larger than its memory";
    if (!bus_is_memory(&s->bus, segment->physical_address, segment->memory_bytes))
        return "a segment does not lie in the machine's memory";
    if (!physical_fill(s, segment->physical_address, file + segment->offset, segment->file_bytes))
        return "the host has no memory left";
    return NULL;
}

const char *elf_load(struct system *s, const uint8_t *file, uint64_t bytes, struct elf_program *p) {
    struct elf_header header;
    *p = (struct elf_program){UINT64_MAX, 0};
    if (bytes < sizeof header)
        return "the file is too short for an ELF file";
    memcpy(&header, file, sizeof header);
    if (header.class != CLASS_64 || header.data != LITTLE_ENDIAN_DATA || header.machine != RISCV)
        return "this is not a program for RISC-V with 64 bits";
    if (header.segment_count > SEGMENTS_MAX)
        return "there are too many segments";
    for (unsigned i = 0; i < header.segment_count; i++) {
        struct elf_segment segment;
        uint64_t place = (uint64_t)i * header.segment_size;
        if (header.segment_size < sizeof segment || header.segments > bytes ||
            place > bytes - header.segments || sizeof segment > bytes - header.segments - place)
            return "the file ends within its list of segments";
        memcpy(&segment, file + header.segments + place, sizeof segment);
        if (segment.type != ELF_SEGMENT_LOADED || segment.memory_bytes == 0)
            continue;
        const char *problem = load_segment(s, file, bytes, &segment);
        if (problem != NULL)
            return problem;
        uint64_t end = segment.physical_address + segment.memory_bytes;
        p->start = segment.physical_address < p->start ? segment.physical_address : p->start;
        p->end = end > p->end ? end : p->end;
    }
    return p->end == 0 ? "there is nothing to load in the file" : NULL;
}
