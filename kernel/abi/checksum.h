// The checksum of log records: XXH64, the 64-bit hash by Yann Collet, with seed 0, for whole
// stripes of 32 bytes.
//
// Why this one? It takes about one instruction a byte; CRC-32C takes about ten, or four with sliced
// tables of 8 KiB, and has only 32 bits. The rotation moves high bits to where the next
// multiplication spreads them, so changed signs or swapped words do not cancel each other out. Test
// values of the algorithm are published. But the algorithm uses no secret. Against contents that
// are made to collide, the log relies on the numbers in its sectors (abi/logformat.h), not on the
// checksum.
#pragma once
#include "abi/types.h"

enum { CHECKSUM_STRIPE = 32 }; // bytes

#define CHECKSUM_PRIME_1 0x9e3779b185ebca87u
#define CHECKSUM_PRIME_2 0xc2b2ae3d27d4eb4fu
#define CHECKSUM_PRIME_3 0x165667b19e3779f9u
#define CHECKSUM_PRIME_4 0x85ebca77c2b2ae63u

struct checksum {
    uint64_t lane[4];
    uint64_t bytes; // added so far
};

typedef uint64_t __attribute__((may_alias)) checksum_word; // of data of any type

static inline uint64_t checksum_rotate(uint64_t x, unsigned by) {
    return x << by | x >> (64 - by);
}

static inline uint64_t checksum_mix(uint64_t lane, uint64_t word) {
    return checksum_rotate(lane + word * CHECKSUM_PRIME_2, 31) * CHECKSUM_PRIME_1;
}

static inline void checksum_begin(struct checksum *c) {
    *c = (struct checksum){
        {CHECKSUM_PRIME_1 + CHECKSUM_PRIME_2, CHECKSUM_PRIME_2, 0, -CHECKSUM_PRIME_1}, 0};
}

// Adds data that is aligned to 8 bytes; `bytes` is a multiple of CHECKSUM_STRIPE. The four lanes
// are written out so that, at any level of optimization, they stay in registers and do not wait for
// each other.
static inline void checksum_add(struct checksum *sum, const void *data, size_t bytes) {
    const checksum_word *word = (const checksum_word *)data, *end = word + bytes / sizeof *word;
    uint64_t a = sum->lane[0], b = sum->lane[1], c = sum->lane[2], d = sum->lane[3];
    for (; word < end; word += 4) {
        a = checksum_mix(a, word[0]);
        b = checksum_mix(b, word[1]);
        c = checksum_mix(c, word[2]);
        d = checksum_mix(d, word[3]);
    }
    sum->lane[0] = a;
    sum->lane[1] = b;
    sum->lane[2] = c;
    sum->lane[3] = d;
    sum->bytes += bytes;
}

// Returns the checksum of everything that was added, at least 32 bytes.
static inline uint64_t checksum_end(const struct checksum *c) {
    static const unsigned char rotations[] = {1, 7, 12, 18};
    uint64_t sum = 0;
    for (unsigned i = 0; i < 4; i++)
        sum += checksum_rotate(c->lane[i], rotations[i]);
    for (unsigned i = 0; i < 4; i++)
        sum = (sum ^ checksum_mix(0, c->lane[i])) * CHECKSUM_PRIME_1 + CHECKSUM_PRIME_4;
    sum += c->bytes;
    sum = (sum ^ sum >> 33) * CHECKSUM_PRIME_2;
    sum = (sum ^ sum >> 29) * CHECKSUM_PRIME_3;
    return sum ^ sum >> 32;
}
