// Where the blocks of a file are. A walk goes down from the inode, level by level; level 0 is the
// file's own block. It copies each pointer and gives its block back before it gets the next, so
// that it never holds a slot of the cache while it waits for one.
#include "fs/filemap.h"
#include "abi/errno.h"
#include "fs/allocate.h"
#include "fs/log.h"
#include "lib/print.h"
#include "lib/string.h"
#include "sched/task.h"

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
    if (t.top == 0)
        return &disk->direct[t.index];
    return t.top == 1 ? &disk->indirect : &disk->double_indirect;
}

// Where in the block of pointers at that level the pointer to the next level is.
static unsigned place_in(struct tree t, unsigned level) {
    return (level == 1 ? t.index : t.index / POINTERS_PER_BLOCK) % POINTERS_PER_BLOCK;
}

// Tells whether a file may have that block, and says so if not.
static bool is_sane(uint32_t number) {
    if (!block_is_data(number))
        print("disk: a file has block %u\n", number);
    return block_is_data(number);
}

static int get(uint32_t number, struct block **b) {
    return is_sane(number) ? cache_get(number, b) : -EIO;
}

// Replaces *number, the block of pointers at that level, by the block of the next level.
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
    uint32_t number = *root_of((struct disk_inode *)disk, t);
    for (unsigned level = t.top; level > 0; level--) {
        int error = descend(t, level, &number);
        if (error)
            return error;
    }
    return get(number, b);
}

// Allocates the block of that level on the way to a file's block and enters it in `above`, the
// block of pointers of the level before, or at the top in the inode. Blocks of pointers are filled
// with zeros.
static int insert(struct disk_inode *disk, struct tree t, unsigned level, uint32_t above,
                  uint32_t *number) {
    int error = block_alloc(number);
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
        block_free(*number);
    return error;
}

int filemap_append(struct disk_inode *disk, uint64_t index, struct block **b) {
    if (index >= FILE_BLOCKS_MAX)
        return -EFBIG;
    struct tree t = tree_of(index);
    uint32_t above = 0, number = *root_of(disk, t);
    int error = 0;
    for (unsigned level = t.top;; level--) {
        if (number == 0)
            error = insert(disk, t, level, above, &number);
        if (error || level == 0)
            break;
        above = number;
        error = descend(t, level, &number);
        if (error)
            break;
    }
    if (error == 0 && !is_sane(number))
        error = -EIO;
    if (error) {
        filemap_shrink(disk, index);
        return error;
    }
    *b = cache_get_blank(number);
    return 0;
}

// Tells whether the tree's block of that level has no blocks before the one on the way to t.index.
static bool is_first(struct tree t, unsigned level) {
    return level == 0 || (level == 1 ? t.index % POINTERS_PER_BLOCK == 0 : t.index == 0);
}

int filemap_shrink(struct disk_inode *disk, uint64_t index) {
    struct tree t = tree_of(index);
    uint32_t way[LEVELS] = {0}, *root = root_of(disk, t);
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
    // First the pointer goes, which may fail, then what hung from it.
    if (kept > t.top) {
        *root = 0;
    } else if (block_is_data(way[kept])) {
        int error = set_pointer(t, kept, way[kept], 0);
        if (error)
            return error;
    }
    for (unsigned level = 0; level < kept && level <= t.top; level++)
        if (block_is_data(way[level]))
            block_free(way[level]);
    return 0;
}

int filemap_each(const struct disk_inode *disk, void (*visit)(uint32_t block)) {
    for (uint64_t i = 0; i < filemap_blocks(disk); i++) {
        struct tree t = tree_of(i);
        uint32_t number = *root_of((struct disk_inode *)disk, t);
        if (t.index % POINTERS_PER_BLOCK == 0)
            task_preemption_point(); // there may be many
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
