// Allocation of blocks and inode numbers. Both work alike: some blocks of the disk tell which
// numbers are in use, and the lowest free number is taken. Of each of these blocks, the allocator
// remembers whether it found nothing free in it, so it does not look there again.
#include "fs/allocate.h"
#include "abi/errno.h"
#include "abi/stat.h"
#include "arch/address.h"
#include "fs/log.h"
#include "lib/panic.h"
#include "sched/mutex.h"

enum { FULL_WORDS = 16, GROUPS_MAX = FULL_WORDS * 64 };

static_assert(INODES_MAX / INODES_PER_BLOCK < GROUPS_MAX, "all groups of inodes are remembered");

// Numbers of one kind. Those that a block of the disk covers are a group. Locks: [I] never changes
// after mounting, [m] mutex.
struct numbers {
    uint32_t start;            // [I] the block of the first group
    uint32_t per_block;        // [I] how many numbers a group has
    uint32_t end;              // [I] the largest number plus 1
    uint32_t hint;             // [m] all numbers below are in use
    uint64_t full[FULL_WORDS]; // [m] a bit for each group: all its numbers are in use
    // Returns the first free number of a block, from i to end, or `end`.
    uint32_t (*find_free)(const char *data, uint32_t i, uint32_t end);
    void (*mark_used)(char *data, uint32_t i);
    void (*mark_free)(char *data, uint32_t i);
};

static struct mutex mutex; // guards the bitmap, and which inodes are free
static struct numbers blocks, inodes;
static uint32_t data_start; // [I]

// ---- Bits ----

static uint64_t bit_of(uint32_t i) {
    return 1ull << i % 64;
}

static void set_bit(char *data, uint32_t i) {
    ((uint64_t *)data)[i / 64] |= bit_of(i);
}

static void clear_bit(char *data, uint32_t i) {
    ((uint64_t *)data)[i / 64] &= ~bit_of(i);
}

// Steps over a whole word at a time if all its bits are set.
static uint32_t find_clear_bit(const char *data, uint32_t i, uint32_t end) {
    const uint64_t *word = (const uint64_t *)data;
    while (i < end && (word[i / 64] & bit_of(i)) != 0)
        i += word[i / 64] == UINT64_MAX ? 64 - i % 64 : 1;
    return min(i, end);
}

// ---- Records of inodes ----

static uint32_t find_free_inode(const char *data, uint32_t i, uint32_t end) {
    const struct disk_inode *inode = (const struct disk_inode *)data;
    while (i < end && inode[i].type != 0)
        i++;
    return i;
}

static void make_empty_file(char *data, uint32_t i) {
    ((struct disk_inode *)data)[i] = (struct disk_inode){.type = T_FILE};
}

static void clear_inode(char *data, uint32_t i) {
    ((struct disk_inode *)data)[i] = (struct disk_inode){0};
}

// ---- Numbers of either kind ----

// Moves the hint past groups that are known to be full.
static void skip_full_groups(struct numbers *n) {
    uint32_t group = n->hint / n->per_block;
    uint32_t open = find_clear_bit((const char *)n->full, group, GROUPS_MAX);
    if (group < open)
        n->hint = open * n->per_block;
}

// Moves the hint to the lowest free number and stores in *b its block, with a reference.
static int find_free(struct numbers *n, struct block **b) {
    assert(mutex_held(&mutex));
    for (skip_full_groups(n); n->hint < n->end; skip_full_groups(n)) {
        uint32_t group = n->hint / n->per_block, first = group * n->per_block;
        uint32_t count = min(n->per_block, n->end - first);
        int error = cache_get(n->start + group, b);
        if (error)
            return error;
        n->hint = first + n->find_free((*b)->data, n->hint - first, count);
        if (n->hint < first + count)
            return 0;
        cache_put(*b);
        if (group < GROUPS_MAX)
            set_bit((char *)n->full, group);
    }
    return -ENOSPC;
}

// Marks the free number at the hint as used, and as many of those that follow as are free and in
// the same group, but not more than `wanted`. Returns how many. Moves the hint past them.
static uint32_t mark_run(struct numbers *n, char *data, uint32_t wanted) {
    uint32_t first = n->hint % n->per_block, i = first;
    uint32_t end = min(min(n->per_block, n->end - (n->hint - first)), first + wanted);
    do {
        n->mark_used(data, i++);
    } while (i < end && n->find_free(data, i, i + 1) == i);
    n->hint += i - first;
    return i - first;
}

// Allocates the lowest free number and free ones that follow it, `wanted` at most.
static int run_alloc(struct numbers *n, uint32_t wanted, uint32_t *first, uint32_t *count) {
    struct block *b;
    assert(rank_held(RANK_TRANSACTION) && wanted > 0);
    mutex_lock(&mutex, RANK_ALLOCATE);
    int error = find_free(n, &b);
    if (error == 0) {
        *first = n->hint;
        *count = mark_run(n, b->data, wanted);
        log_write(b);
    }
    mutex_unlock(&mutex);
    return error;
}

// Frees that many numbers of a group.
static void run_free(struct numbers *n, uint32_t first, uint32_t count) {
    struct block *b;
    uint32_t group = first / n->per_block, place = first % n->per_block;
    assert(rank_held(RANK_TRANSACTION) && place + count <= n->per_block);
    mutex_lock(&mutex, RANK_ALLOCATE);
    if (cache_get(n->start + group, &b) == 0) {
        for (uint32_t i = 0; i < count; i++)
            n->mark_free(b->data, place + i);
        log_write(b);
        if (group < GROUPS_MAX)
            clear_bit((char *)n->full, group);
        n->hint = min(n->hint, first);
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
        .find_free = find_clear_bit,
        .mark_used = set_bit,
        .mark_free = clear_bit,
    };
    inodes = (struct numbers){
        .start = super->inode_start,
        .per_block = INODES_PER_BLOCK,
        .end = super->inode_count,
        .hint = ROOT_INODE + 1,
        .find_free = find_free_inode,
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

int block_take(struct block_run *run, uint32_t *number) {
    if (run->left == 0) {
        int error = run_alloc(&blocks, max(run->wanted, 1), &run->next, &run->left);
        if (error)
            return error;
        run->wanted -= min(run->wanted, run->left);
    }
    run->left--;
    *number = run->next++;
    return 0;
}

void block_give(struct block_run *run, uint32_t number) {
    log_discard(number);
    bool is_adjacent = number + 1 == run->next && run->next % blocks.per_block != 0;
    if (!is_adjacent)
        block_run_end(run);
    run->next = number;
    run->left++;
}

void block_run_end(struct block_run *run) {
    if (run->left > 0)
        run_free(&blocks, run->next, run->left);
    run->left = 0;
}

int bitmap_get(uint32_t number, struct block **b) {
    return cache_get(blocks.start + number / blocks.per_block, b);
}

// ---- Inodes ----

uint32_t inode_number_count(void) {
    return inodes.end;
}

int inode_number_alloc(uint32_t *number) {
    uint32_t count;
    return run_alloc(&inodes, 1, number, &count);
}

void inode_number_free(uint32_t number) {
    run_free(&inodes, number, 1);
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
