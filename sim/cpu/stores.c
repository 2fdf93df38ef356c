// The store buffer.
#include "cpu/stores.h"

#include <string.h>

void stores_add(struct stores *s, struct store store) {
    s->entries[s->count++] = store;
}

struct store stores_take(struct stores *s) {
    struct store first = s->entries[0];
    s->count--;
    memmove(s->entries, s->entries + 1, s->count * sizeof s->entries[0]);
    s->entries[s->count] = (struct store){0};
    if (s->count == 0)
        s->is_fenced = false;
    return first;
}

static bool overlaps(const struct store *store, uint64_t address, unsigned bytes) {
    return store->address < address + bytes && address < store->address + store->bytes;
}

bool stores_overlap(const struct stores *s, uint64_t address, unsigned bytes) {
    for (unsigned i = 0; i < s->count; i++) {
        if (overlaps(&s->entries[i], address, bytes))
            return true;
    }
    return false;
}

uint64_t stores_forward(const struct stores *s, uint64_t address, unsigned bytes, uint64_t value) {
    for (unsigned i = 0; i < s->count; i++) {
        const struct store *store = &s->entries[i];
        for (unsigned j = 0; j < store->bytes && overlaps(store, address, bytes); j++) {
            uint64_t place = store->address + j - address; // of the byte in the value
            if (place >= bytes)
                continue;
            uint64_t byte = store->value >> 8 * j & 0xff;
            value = (value & ~(UINT64_C(0xff) << 8 * place)) | byte << 8 * place;
        }
    }
    return value;
}
