// A disk, and what it does for a request: it follows the chain of descriptors.
#pragma once
#include "cpu/hart.h"

enum { SECTOR_BYTES = 512 };

struct block {
    struct system *system;
    struct paged *pages; // what is on the disk; NULL: there is none
    uint64_t bytes;      // a multiple of SECTOR_BYTES
    // Told about each write to the disk; NULL: nobody is.
    void (*written)(void *owner, uint64_t start, uint64_t bytes);
    void *owner;
};

// The chain that begins at descriptor `head` of the queue's table, which has so many.
struct block_request {
    uint64_t table;
    uint32_t count, head;
};

// Serves a request; stores how many bytes it has written to memory. Returns false if the chain
// makes no sense.
bool block_serve(struct block *b, struct block_request request, uint32_t *written);

// Copy from or to the guest's memory. Return false outside it.
bool block_get(const struct block *b, uint64_t address, void *bytes, uint64_t count);
bool block_put(struct block *b, uint64_t address, const void *bytes, uint64_t count);
