// Allocation on the disk: the lowest free number is taken. All below the hints are in use.
#include "fs/allocate.h"

#include "abi/errno.h"
#include "fs/log.h"
#include "lib/print.h"
#include "sched/mutex.h"

static struct mutex mutex;              // guards the bitmap, and which inodes are free
static struct superblock super;         // [I]
static uint32_t block_hint, inode_hint; // [mutex]

void allocate_mount(const struct superblock *s) {
    mutex_init(&mutex);
    super = *s;
    block_hint = super.data_start;
    inode_hint = ROOT_INODE + 1;
}

bool block_is_data(uint32_t number) { return number >= super.data_start && number < super.blocks; }

// Moves the hint to the first clear bit of its bitmap block; if there is none, to the next block, and returns false.
static bool bit_find_clear(const uint64_t *words) {
    do {
        uint64_t word = words[block_hint % BITS_PER_BLOCK / 64];
        if ((word >> block_hint % 64 & 1) == 0) return true;
        block_hint = word == UINT64_MAX ? (block_hint | 63) + 1 : block_hint + 1;
    } while (block_hint % BITS_PER_BLOCK != 0 && block_hint < super.blocks);
    return false;
}

int block_alloc(uint32_t *number) {
    int error = -ENOSPC;
    mutex_lock(&mutex, RANK_ALLOCATE);
    while (error == -ENOSPC && block_hint < super.blocks) {
        struct block *b;
        if (cache_get(super.bitmap_start + block_hint / BITS_PER_BLOCK, &b) != 0) {
            error = -EIO;
        } else if (bit_find_clear((uint64_t *)b->data)) {
            *number = block_hint++;
            b->data[*number % BITS_PER_BLOCK / 8] |= 1 << *number % 8;
            log_write(b);
            error = 0;
        } else {
            cache_put(b);
        }
    }
    mutex_unlock(&mutex);
    return error;
}

void block_free(uint32_t number) {
    struct block *b;
    mutex_lock(&mutex, RANK_ALLOCATE);
    log_discard(number);
    // Without its bitmap block, the block is lost, but nothing else is wrong.
    if (cache_get(super.bitmap_start + number / BITS_PER_BLOCK, &b) == 0) {
        char *byte = &b->data[number % BITS_PER_BLOCK / 8];
        if ((*byte >> number % 8 & 1) == 0) print("disk: block %u of a file is marked as free\n", number);
        *byte &= ~(1 << number % 8);
        log_write(b);
        block_hint = number < block_hint ? number : block_hint;
    }
    mutex_unlock(&mutex);
}

bool inode_number_is_valid(uint32_t number) { return number >= ROOT_INODE && number < super.inode_count; }

uint32_t inode_number_block(uint32_t number) { return super.inode_start + number / INODES_PER_BLOCK; }

// The same for inodes.
static bool inode_find_free(const struct disk_inode *inodes) {
    do {
        if (inodes[inode_hint % INODES_PER_BLOCK].type == 0) return true;
    } while (++inode_hint % INODES_PER_BLOCK != 0 && inode_hint < super.inode_count);
    return false;
}

int inode_number_alloc(enum file_type type, uint32_t *number) {
    int error = -ENOSPC;
    mutex_lock(&mutex, RANK_ALLOCATE);
    while (error == -ENOSPC && inode_hint < super.inode_count) {
        struct block *b;
        if (cache_get(inode_number_block(inode_hint), &b) != 0) {
            error = -EIO;
        } else if (inode_find_free((struct disk_inode *)b->data)) {
            *number = inode_hint++;
            ((struct disk_inode *)b->data)[*number % INODES_PER_BLOCK] = (struct disk_inode){.type = type};
            log_write(b);
            error = 0;
        } else {
            cache_put(b);
        }
    }
    mutex_unlock(&mutex);
    return error;
}

void inode_number_free(uint32_t number) {
    struct block *b;
    mutex_lock(&mutex, RANK_ALLOCATE);
    if (cache_get(inode_number_block(number), &b) == 0) {
        ((struct disk_inode *)b->data)[number % INODES_PER_BLOCK] = (struct disk_inode){0};
        log_write(b);
        inode_hint = number < inode_hint ? number : inode_hint;
    }
    mutex_unlock(&mutex);
}
