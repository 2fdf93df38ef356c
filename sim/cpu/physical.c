// Memory at a physical address: what is written is seen by all that remember the page.
#include "cpu/physical.h"
#include "cpu/code.h"
#include "cpu/fast.h"

#include <string.h>

const uint8_t *physical_page(const struct system *s, uint64_t pa) {
    return paged_read(&s->bus.memory, (pa - MEMORY_START) / PAGE_BYTES);
}

uint64_t physical_read(const struct system *s, uint64_t pa, unsigned bytes) {
    uint64_t value = 0;
    memcpy(&value, physical_page(s, pa) + pa % PAGE_BYTES, bytes);
    return value;
}

// Returns the page's bytes for writing, NULL without memory.
static uint8_t *writable(struct system *s, uint64_t pa) {
    const uint8_t *before = physical_page(s, pa);
    uint8_t *bytes = paged_write(&s->bus.memory, (pa - MEMORY_START) / PAGE_BYTES);
    if (bytes == NULL)
        s->bus.is_out_of_memory = true;
    else if (bytes != before)
        fast_forget_bytes(s, before, FAST_READS_AND_WRITES); // the page is elsewhere now
    return bytes;
}

static bool write_inside_page(struct system *s, uint64_t pa, const void *from, uint64_t bytes) {
    uint8_t *page = writable(s, pa);
    if (page == NULL)
        return false;
    memcpy(page + pa % PAGE_BYTES, from, bytes);
    code_written(s, pa, bytes);
    return true;
}

bool physical_write(struct system *s, uint64_t pa, unsigned bytes, uint64_t value) {
    return write_inside_page(s, pa, &value, bytes);
}

bool physical_fill(struct system *s, uint64_t pa, const void *bytes, uint64_t count) {
    const uint8_t *from = bytes;
    while (count > 0) {
        uint64_t part = PAGE_BYTES - pa % PAGE_BYTES;
        if (part > count)
            part = count;
        if (!write_inside_page(s, pa, from, part))
            return false;
        from += part;
        pa += part;
        count -= part;
    }
    return true;
}
