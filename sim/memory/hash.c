// A hash of many words: as FNV-1a, but with 8 bytes at a time, and with a rotation, because a
// multiplication moves differences only upwards. http://www.isthe.com/chongo/tech/comp/fnv/
#include "memory/hash.h"

#include <string.h>

static void add(struct hash *h, uint64_t word) {
    h->value = (h->value ^ word) * UINT64_C(0x100000001b3);
    h->value = h->value << 31 | h->value >> 33;
}

void hash_bytes(struct hash *h, const void *bytes, size_t count) {
    const uint8_t *from = bytes;
    for (; count >= 8; count -= 8, from += 8) {
        uint64_t word;
        memcpy(&word, from, 8);
        add(h, word);
    }
    uint64_t rest = 0;
    memcpy(&rest, from, count);
    add(h, rest);
}

void hash_paged(struct hash *h, const struct paged *p) {
    for (size_t i = 0; i < p->group_count; i++) {
        for (uint64_t page = i * GROUP_PAGES; p->groups[i] && page < (i + 1) * GROUP_PAGES;
             page++) {
            if (page >= p->page_count || !paged_is_written(p, page))
                continue;
            hash_bytes(h, &page, sizeof page);
            hash_bytes(h, paged_read(p, page), PAGE_BYTES);
        }
    }
}
