// The store buffer of a hart: what it has written and nobody else can see yet, oldest first. The
// hart itself sees it. A model with such a buffer (total store order) is stronger than RVWMO, so
// a program that is right on RISC-V is right with it.
// RISC-V Unprivileged Architecture, "RVWMO Memory Consistency Model" and "Ztso".
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { STORES_MAX = 8 };

struct store {
    uint64_t address; // physical
    uint64_t value;
    uint64_t bytes; // 1 to 8, within a page
};

struct stores {
    uint64_t count;
    uint64_t is_fenced; // a fence orders these stores before later ones
    struct store entries[STORES_MAX];
};

// Adds a store; there must be room.
void stores_add(struct stores *s, struct store store);

// Takes the oldest out; there must be one.
struct store stores_take(struct stores *s);

bool stores_overlap(const struct stores *s, uint64_t address, unsigned bytes);

// Changes a value that was read in memory to what the hart sees there.
uint64_t stores_forward(const struct stores *s, uint64_t address, unsigned bytes, uint64_t value);
