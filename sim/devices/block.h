// A disk, and what it does for a request: it follows the chain of descriptors.
#pragma once
#include "cpu/hart.h"
#include "devices/medium.h"

struct block {
    struct system *system;
    struct paged *pages;   // what is on the disk; NULL: there is none
    struct medium *medium; // what will be there without power; NULL: nobody wants to know
    uint64_t bytes;        // a multiple of SECTOR_BYTES
    // Told about each write to the disk; NULL: nobody is.
    void (*written)(void *owner, uint64_t start, uint64_t bytes);
    void *owner;
};

// The chain that begins at descriptor `head` of the queue's table, which has so many.
struct block_request {
    uint64_t table;
    uint32_t count, head;
    uint64_t failure; // 0: none; it ends with an error, and of the sectors, chance has done some
    bool is_cached;   // the driver will flush what it writes
    bool is_cut;      // the power has failed meanwhile: nothing reaches memory
};

// Serves a request; stores how many bytes it has written to memory. Returns false if the chain
// makes no sense.
bool block_serve(struct block *b, struct block_request request, uint32_t *written);

// True for one that flushes the disk.
bool block_is_flush(const struct block *b, struct block_request request);

// Copy from or to the guest's memory. Return false outside it.
bool block_get(const struct block *b, uint64_t address, void *bytes, uint64_t count);
bool block_put(struct block *b, uint64_t address, const void *bytes, uint64_t count);
