// Allocation on the disk: the lowest free number is taken. All below the hints are known to be in use.
#include "fs/allocate.h"

#include "abi/errno.h"
#include "fs/cache.h"
#include "fs/log.h"
#include "lib/print.h"
#include "sched/mutex.h"

static struct mutex mutex;      // guards the bitmap, and the type of free inodes
static struct superblock super; // [I]
static uint32_t block_hint;     // [mutex]
static uint32_t inode_hint;     // [mutex]

void allocate_mount(const struct superblock *s)
{
    mutex_init(&mutex);
    super = *s;
    block_hint = super.data_start;
    inode_hint = ROOT_INODE + 1;
}

bool block_is_data(uint32_t number)
{
    return number >= super.data_start && number < super.blocks;
}

// Returns the first clear bit from `from` on, or a number that is not below `end` if there is none.
static uint32_t bit_find_clear(const uint64_t *words, uint32_t from, uint32_t end)
{
    while (from < end && words[from / 64] >> from % 64 & 1)
        from = words[from / 64] == UINT64_MAX ? (from | 63) + 1 : from + 1;
    return from;
}

// Does the work of block_alloc from the hint on.
static int block_search(void)
{
    while (block_hint < super.blocks) {
        struct block *b;
        uint32_t first = block_hint / BITS_PER_BLOCK * BITS_PER_BLOCK;
        uint32_t end = super.blocks - first < BITS_PER_BLOCK ? super.blocks - first : BITS_PER_BLOCK;
        int error = cache_get(super.bitmap_start + first / BITS_PER_BLOCK, &b);
        if (error)
            return error;
        uint32_t bit = bit_find_clear((uint64_t *)b->data, block_hint - first, end);
        block_hint = first + (bit < end ? bit : end);
        if (bit < end) {
            b->data[bit / 8] |= 1 << bit % 8;
            log_write(b);
            return 0;
        }
        cache_put(b);
    }
    return -ENOSPC;
}

int block_alloc(uint32_t *number)
{
    mutex_lock(&mutex, RANK_ALLOCATE);
    int error = block_search();
    if (error == 0)
        *number = block_hint++;
    mutex_unlock(&mutex);
    return error;
}

// Clears the block's bit. If that fails the block is lost, but nothing else is wrong.
static void bit_clear(uint32_t number)
{
    struct block *b;
    if (cache_get(super.bitmap_start + number / BITS_PER_BLOCK, &b) != 0)
        return;
    uint32_t bit = number % BITS_PER_BLOCK;
    if (b->data[bit / 8] >> bit % 8 & 1) {
        b->data[bit / 8] &= ~(1 << bit % 8);
        log_write(b);
    } else {
        print("disk: block %u, which a file has, is free\n", number);
        cache_put(b);
    }
    if (number < block_hint)
        block_hint = number;
}

void block_free(uint32_t number)
{
    mutex_lock(&mutex, RANK_ALLOCATE);
    struct block *b = cache_find(number);
    if (b != NULL) {
        log_forget(b);
        cache_discard(b);
    }
    bit_clear(number);
    mutex_unlock(&mutex);
}

bool inode_number_is_valid(uint32_t number)
{
    return number >= ROOT_INODE && number < super.inode_count;
}

uint32_t inode_number_block(uint32_t number)
{
    return super.inode_start + number / INODES_PER_BLOCK;
}

// Does the work of inode_number_alloc from the hint on.
static int inode_search(enum file_type type)
{
    while (inode_hint < super.inode_count) {
        struct block *b;
        int error = cache_get(inode_number_block(inode_hint), &b);
        if (error)
            return error;
        do {
            struct disk_inode *disk = (struct disk_inode *)b->data + inode_hint % INODES_PER_BLOCK;
            if (disk->type == 0) {
                *disk = (struct disk_inode){.type = type};
                log_write(b);
                return 0;
            }
        } while (++inode_hint % INODES_PER_BLOCK != 0 && inode_hint < super.inode_count);
        cache_put(b);
    }
    return -ENOSPC;
}

int inode_number_alloc(enum file_type type, uint32_t *number)
{
    mutex_lock(&mutex, RANK_ALLOCATE);
    int error = inode_search(type);
    if (error == 0)
        *number = inode_hint++;
    mutex_unlock(&mutex);
    return error;
}

void inode_number_free(uint32_t number)
{
    struct block *b;
    mutex_lock(&mutex, RANK_ALLOCATE);
    if (cache_get(inode_number_block(number), &b) == 0) {
        ((struct disk_inode *)b->data)[number % INODES_PER_BLOCK] = (struct disk_inode){0};
        log_write(b);
        if (number < inode_hint)
            inode_hint = number;
    }
    mutex_unlock(&mutex);
}
