// Allocation of blocks and inode numbers. Both work alike: some blocks of the disk tell which
// numbers are in use, and the lowest free number is taken.
#include "fs/allocate.h"
#include "abi/errno.h"
#include "abi/stat.h"
#include "fs/log.h"
#include "lib/panic.h"
#include "sched/mutex.h"

// Numbers of one kind. Locks: [I] never changes after mounting, [m] mutex.
struct numbers {
    uint32_t start;     // [I] the first of the blocks that tell which numbers are in use
    uint32_t per_block; // [I] how many numbers each of them covers
    uint32_t end;       // [I] the largest number plus 1
    uint32_t hint;      // [m] all numbers below are in use
    // Returns 0 if number i of the block is free, else how many from i on are known to be in use.
    uint32_t (*count_used)(const char *data, uint32_t i);
    void (*mark_used)(char *data, uint32_t i);
    void (*mark_free)(char *data, uint32_t i);
};

static struct mutex mutex; // guards the bitmap, and which inodes are free
static struct numbers blocks, inodes;
static uint32_t data_start; // [I]

// ---- Bits of the bitmap ----

static uint64_t bit_of(uint32_t i) {
    return 1ull << i % 64;
}

// Steps over a whole word at a time if all its bits are set.
static uint32_t count_used_bits(const char *data, uint32_t i) {
    uint64_t word = ((const uint64_t *)data)[i / 64];
    if (word == UINT64_MAX)
        return 64 - i % 64;
    return (word & bit_of(i)) != 0;
}

static void set_bit(char *data, uint32_t i) {
    ((uint64_t *)data)[i / 64] |= bit_of(i);
}

static void clear_bit(char *data, uint32_t i) {
    ((uint64_t *)data)[i / 64] &= ~bit_of(i);
}

// ---- Records of inodes ----

static uint32_t count_used_inodes(const char *data, uint32_t i) {
    return ((const struct disk_inode *)data)[i].type != 0;
}

static void make_empty_file(char *data, uint32_t i) {
    ((struct disk_inode *)data)[i] = (struct disk_inode){.type = T_FILE};
}

static void clear_inode(char *data, uint32_t i) {
    ((struct disk_inode *)data)[i] = (struct disk_inode){0};
}

// ---- Numbers of either kind ----

// Moves the hint to the first free number of the block it is in. Returns false if there is none;
// then the hint is at the first number of the next block, or at the end.
static bool skip_used(struct numbers *n, const char *data) {
    do {
        uint32_t used = n->count_used(data, n->hint % n->per_block);
        if (used == 0)
            return true;
        n->hint += used;
    } while (n->hint < n->end && n->hint % n->per_block != 0);
    return false;
}

// Moves the hint to the lowest free number and stores in *b its block, with a reference.
static int find_free(struct numbers *n, struct block **b) {
    assert(mutex_held(&mutex));
    while (n->hint < n->end) {
        int error = cache_get(n->start + n->hint / n->per_block, b);
        if (error)
            return error;
        if (skip_used(n, (*b)->data))
            return 0;
        cache_put(*b);
    }
    return -ENOSPC;
}

static int number_alloc(struct numbers *n, uint32_t *number) {
    struct block *b;
    assert(rank_held(RANK_TRANSACTION));
    mutex_lock(&mutex, RANK_ALLOCATE);
    int error = find_free(n, &b);
    if (error == 0) {
        n->mark_used(b->data, n->hint % n->per_block);
        log_write(b);
        *number = n->hint;
    }
    mutex_unlock(&mutex);
    return error;
}

static void number_free(struct numbers *n, uint32_t number) {
    struct block *b;
    assert(rank_held(RANK_TRANSACTION));
    mutex_lock(&mutex, RANK_ALLOCATE);
    if (cache_get(n->start + number / n->per_block, &b) == 0) {
        n->mark_free(b->data, number % n->per_block);
        log_write(b);
        if (number < n->hint)
            n->hint = number;
    }
    mutex_unlock(&mutex);
}

void allocate_mount(const struct superblock *super) {
    mutex_init(&mutex);
    data_start = super->data_start;
    blocks = (struct numbers){
        .start = super->bitmap_start,
        .per_block = BITS_PER_BLOCK,
        .end = super->blocks,
        .hint = data_start,
        .count_used = count_used_bits,
        .mark_used = set_bit,
        .mark_free = clear_bit,
    };
    inodes = (struct numbers){
        .start = super->inode_start,
        .per_block = INODES_PER_BLOCK,
        .end = super->inode_count,
        .hint = ROOT_INODE + 1,
        .count_used = count_used_inodes,
        .mark_used = make_empty_file,
        .mark_free = clear_inode,
    };
}

// ---- Blocks ----

uint32_t block_count(void) {
    return blocks.end;
}

bool block_is_data(uint32_t number) {
    return number >= data_start && number < blocks.end;
}

int block_alloc(uint32_t *number) {
    return number_alloc(&blocks, number);
}

void block_free(uint32_t number) {
    log_discard(number);
    number_free(&blocks, number);
}

int bitmap_get(uint32_t number, struct block **b) {
    return cache_get(blocks.start + number / blocks.per_block, b);
}

// ---- Inodes ----

uint32_t inode_number_count(void) {
    return inodes.end;
}

int inode_number_alloc(uint32_t *number) {
    return number_alloc(&inodes, number);
}

void inode_number_free(uint32_t number) {
    number_free(&inodes, number);
}

int inode_record_get(uint32_t number, struct block **b, struct disk_inode **record) {
    if (number < ROOT_INODE || number >= inodes.end)
        return -EIO;
    int error = cache_get(inodes.start + number / INODES_PER_BLOCK, b);
    if (error)
        return error;
    *record = (struct disk_inode *)(*b)->data + number % INODES_PER_BLOCK;
    return 0;
}
