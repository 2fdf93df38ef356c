// What the tests of the log share.
#pragma once

#include "abi/logformat.h"
#include "fs_machine.h"

enum {
    RAM = 3 << 20,
    BLOCKS = 600,
    LOG = 60, // blocks of the log area, which begins at block 1
};

static inline uint8_t *block_at(uint8_t *image, uint32_t number) {
    return image + (size_t)number * BLOCK_SIZE;
}

// Completes the header of a record that has these blocks.
static inline void seal(struct log_header *h, const void *blocks) {
    struct checksum sum;
    checksum_begin(&sum);
    checksum_add(&sum, blocks, h->sector[0].count * (size_t)BLOCK_SIZE);
    h->sector[0].checksum = log_checksum_end(&sum, h);
}
