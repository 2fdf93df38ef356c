// Where the blocks of a file are. A descent goes from the inode down, level by level; level 0 is
// the block of contents. It copies each pointer and drops the pointer block before it gets the next
// block, so it never holds a slot of the cache while it waits for another.
#include "fs/filemap.h"
#include "abi/errno.h"
#include "fs/log.h"
#include "lib/panic.h"
#include "lib/print.h"
#include "lib/string.h"
#include "sched/schedule.h"

enum { LEVELS = 3 };

// One of the three trees, and the place of a file's block in it.
struct tree {
    unsigned top;   // the level that the inode points to
    uint64_t index; // of the block among the tree's blocks of level 0
};

static struct tree tree_of(uint64_t index) {
    if (index < DIRECT_BLOCKS)
        return (struct tree){0, index};
    index -= DIRECT_BLOCKS;
    if (index < POINTERS_PER_BLOCK)
        return (struct tree){1, index};
    return (struct tree){2, index - POINTERS_PER_BLOCK};
}

// The inode's pointer to the tree.
static uint32_t *root_of(struct disk_inode *disk, struct tree t) {
    switch (t.top) {
    case 0:
        return &disk->direct[t.index];
    case 1:
        return &disk->indirect;
    default:
        return &disk->double_indirect;
    }
}

static uint32_t first_pointer(const struct disk_inode *disk, struct tree t) {
    return *root_of((struct disk_inode *)disk, t);
}

// Returns where in the pointer block of that level the pointer to the next level is.
static unsigned place_in(struct tree t, unsigned level) {
    return (level == 1 ? t.index : t.index / POINTERS_PER_BLOCK) % POINTERS_PER_BLOCK;
}

// Tells whether a file may have that block, and prints a line if not.
static bool is_sane(uint32_t number) {
    if (block_is_data(number))
        return true;
    print("disk: a file has block %u, which is not in the data area\n", number);
    return false;
}

static int get(uint32_t number, struct block **b) {
    return is_sane(number) ? cache_get(number, b) : -EIO;
}

// Replaces *number, the pointer block of that level, by the block of the next level.
static int descend(struct tree t, unsigned level, uint32_t *number) {
    struct block *b;
    int error = get(*number, &b);
    if (error)
        return error;
    *number = ((const uint32_t *)b->data)[place_in(t, level)];
    cache_put(b);
    return 0;
}

static int set_pointer(struct tree t, unsigned level, uint32_t pointers, uint32_t number) {
    struct block *b;
    int error = cache_get(pointers, &b);
    if (error)
        return error;
    ((uint32_t *)b->data)[place_in(t, level)] = number;
    log_write(b);
    return 0;
}

int filemap_get(const struct disk_inode *disk, uint64_t index, struct block **b) {
    struct tree t = tree_of(index);
    uint32_t number = first_pointer(disk, t);
    for (unsigned level = t.top; level > 0; level--) {
        int error = descend(t, level, &number);
        if (error)
            return error;
    }
    return get(number, b);
}

// Allocates the block of that level on the way to a file's block, and stores its number in `above`,
// the pointer block one level up, or at the top level in the inode. Pointer blocks are filled with
// zeros.
static int insert(struct disk_inode *disk, struct tree t, unsigned level, uint32_t above,
                  struct block_run *run, uint32_t *number) {
    int error = block_take(run, number);
    if (error)
        return error;
    if (level > 0) {
        struct block *b = cache_get_blank(*number);
        memset(b->data, 0, BLOCK_SIZE);
        log_write(b);
    }
    if (level == t.top)
        *root_of(disk, t) = *number;
    else
        error = set_pointer(t, level + 1, above, *number);
    if (error)
        block_give(run, *number);
    return error;
}

// Allocates what is missing on the way to a file's block, and the block itself; stores its number.
// On failure some of these blocks may stay allocated.
static int allocate_way(struct disk_inode *disk, struct tree t, struct block_run *run,
                        uint32_t *number) {
    uint32_t above = 0;
    *number = *root_of(disk, t);
    for (unsigned level = t.top;; level--) {
        int error = *number == 0 ? insert(disk, t, level, above, run, number) : 0;
        if (error)
            return error;
        if (level == 0)
            return is_sane(*number) ? 0 : -EIO;
        above = *number;
        error = descend(t, level, number);
        if (error)
            return error;
    }
}

int filemap_append(struct disk_inode *disk, uint64_t index, struct block_run *run,
                   struct block **b) {
    assert(rank_held(RANK_TRANSACTION) && index == filemap_blocks(disk));
    if (index >= FILE_BLOCKS_MAX)
        return -EFBIG;
    uint32_t number;
    int error = allocate_way(disk, tree_of(index), run, &number);
    if (error) {
        filemap_shrink(disk, index, run);
        return error;
    }
    *b = cache_get_blank(number);
    return 0;
}

// True if block t.index is the first one that is reached through the tree's block of that level.
// These two are allocated and freed together.
static bool is_first(struct tree t, unsigned level) {
    return level == 0 || (level == 1 ? t.index % POINTERS_PER_BLOCK == 0 : t.index == 0);
}

int filemap_shrink(struct disk_inode *disk, uint64_t index, struct block_run *run) {
    struct tree t = tree_of(index);
    uint32_t way[LEVELS] = {0}; // by level, the blocks on the way to the file's block
    uint32_t *root = root_of(disk, t);
    assert(rank_held(RANK_TRANSACTION));
    way[t.top] = *root;
    for (unsigned level = t.top; level > 0 && block_is_data(way[level]); level--) {
        way[level - 1] = way[level];
        int error = descend(t, level, &way[level - 1]);
        if (error)
            return error;
    }
    unsigned kept = 0; // the lowest level at which the file keeps its block
    while (kept <= t.top && is_first(t, kept))
        kept++;
    // First clears the pointer, which may fail; then gives away what hung from it.
    if (kept > t.top) {
        *root = 0;
    } else if (block_is_data(way[kept])) {
        int error = set_pointer(t, kept, way[kept], 0);
        if (error)
            return error;
    }
    for (unsigned level = 0; level < kept && level <= t.top; level++) {
        if (block_is_data(way[level]))
            block_give(run, way[level]);
    }
    return 0;
}

int filemap_each(const struct disk_inode *disk, void (*visit)(uint32_t block)) {
    for (uint64_t i = 0; i < filemap_blocks(disk); i++) {
        struct tree t = tree_of(i);
        uint32_t number = first_pointer(disk, t);
        if (t.index % POINTERS_PER_BLOCK == 0)
            task_preemption_point(); // a file may have many blocks
        if (task_is_killed())
            return -EINTR;
        for (unsigned level = t.top;; level--) {
            if (is_first(t, level))
                visit(number);
            if (level == 0)
                break;
            int error = descend(t, level, &number);
            if (error)
                return error;
        }
    }
    return 0;
}
