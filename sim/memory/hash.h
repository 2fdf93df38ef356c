// A hash of the machine's state, to see whether two runs came to the same.
#pragma once
#include "memory/paged.h"

struct hash {
    uint64_t value;
};

void hash_bytes(struct hash *h, const void *bytes, size_t count);

// Hashes the pages that were written, with their places.
void hash_paged(struct hash *h, const struct paged *p);
