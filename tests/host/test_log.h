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

// Completes a header.
static inline void seal(struct log_header *h) {
    h->sector[0].checksum = log_checksum(h);
}

// Puts the record's number into all sectors of a block.
static inline void number_block(void *block, uint64_t number) {
    for (unsigned i = 0; i < LOG_SECTORS; i++)
        memcpy((char *)block + i * LOG_SECTOR, &number, sizeof number);
}
