// The file system's checker. It needs a single frame of memory, which holds what is known of a
// window of inodes or blocks; the whole file system is read once for each window.
#include "fs/check.h"
#include "abi/errno.h"
#include "arch/address.h"
#include "fs/allocate.h"
#include "fs/filemap.h"
#include "fs/inodetable.h"
#include "fs/log.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mem/frame.h"
#include "sched/schedule.h"

enum {
    INODES_IN_WINDOW = BLOCK_SIZE / sizeof(uint16_t),
    BLOCKS_IN_WINDOW = BLOCK_SIZE * 8,
    LINES_MAX = 20, // of output
};

// Guarded by log_pause. `names` and `used` share the frame, one after the other.
static uint16_t *names; // for each inode of the window: how many entries name it
static uint8_t *used;   // one bit for each block of the window: a file uses it
static uint32_t first;  // number of the window's first inode or block
static uint64_t found;  // violations

#define REPORT(...) \
    do { \
        if (found++ < LINES_MAX) \
            print("check: " __VA_ARGS__); \
    } while (0)

// Calls visit with a copy of each inode that is in use. Lets other tasks run in between, because
// this may take long. Errors: -EIO, -EINTR (the task was killed).
static int each_inode(void (*visit)(uint32_t number, const struct disk_inode *inode)) {
    for (uint32_t i = ROOT_INODE; i < inode_number_count(); i++) {
        struct block *b;
        struct disk_inode *record;
        int error = inode_record_get(i, &b, &record);
        if (error)
            return error;
        struct disk_inode copy = *record;
        cache_put(b);
        if (i % INODES_PER_BLOCK == 0 || copy.type != 0)
            task_preemption_point();
        if (task_is_killed())
            return -EINTR;
        if (copy.type != 0)
            visit(i, &copy);
    }
    return 0;
}

// ---- Names ----

static bool is_dot(const struct dirent *e) {
    return memcmp(e->name, ".", 2) == 0;
}

static void count_names(const struct dirent *e, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint32_t place = e[i].inum - first;
        if (e[i].inum != 0 && place < INODES_IN_WINDOW && !is_dot(&e[i]))
            names[place]++;
    }
}

static void visit_directory(uint32_t number, const struct disk_inode *inode) {
    if (inode->type != T_DIR || inode->nlink == 0 || !inode_is_sane(inode))
        return;
    for (uint64_t i = 0; i < filemap_blocks(inode); i++) {
        struct block *b;
        if (filemap_get(inode, i, &b) != 0) {
            REPORT("directory %u cannot be read\n", number);
            return;
        }
        uint64_t bytes = min(inode->size - i * BLOCK_SIZE, BLOCK_SIZE);
        count_names((const struct dirent *)b->data, bytes / sizeof(struct dirent));
        cache_put(b);
    }
}

static void compare_names(uint32_t number, const struct disk_inode *inode) {
    uint32_t place = number - first;
    if (place >= INODES_IN_WINDOW)
        return;
    if (!inode_is_sane(inode))
        REPORT("inode %u is damaged\n", number);
    else if (inode->nlink != names[place])
        REPORT("inode %u has %u links, but %u names\n", number, inode->nlink, names[place]);
    else if (inode->nlink == 0 && !inode_is_open(number))
        REPORT("inode %u has no name and is not open\n", number);
}

static int check_names(void) {
    for (first = 0; first < inode_number_count(); first += INODES_IN_WINDOW) {
        memset(names, 0, BLOCK_SIZE);
        int error = each_inode(visit_directory);
        if (error == 0)
            error = each_inode(compare_names);
        if (error)
            return error;
    }
    return 0;
}

// ---- Blocks ----

static bool is_set(const uint8_t *bits, uint32_t i) {
    return bits[i / 8] >> i % 8 & 1;
}

static void note_use(uint32_t block) {
    uint32_t i = block - first;
    if (i >= BLOCKS_IN_WINDOW)
        return;
    if (is_set(used, i))
        REPORT("block %u is used twice\n", block);
    used[i / 8] |= (uint8_t)(1 << i % 8);
}

static void visit_blocks(uint32_t number, const struct disk_inode *inode) {
    if (inode->type != T_DEVICE && inode_is_sane(inode) && filemap_each(inode, note_use) == -EIO)
        REPORT("inode %u cannot be read\n", number);
}

// Compares the window with its block of the bitmap.
static int compare_blocks(void) {
    struct block *b;
    int error = bitmap_get(first, &b);
    if (error)
        return error;
    for (uint32_t i = 0; i < BLOCKS_IN_WINDOW; i++) {
        if (!block_is_data(first + i))
            continue;
        bool is_marked = is_set((const uint8_t *)b->data, i), is_used = is_set(used, i);
        if (is_marked && !is_used)
            REPORT("block %u is marked as used, but belongs to no file\n", first + i);
        if (!is_marked && is_used)
            REPORT("block %u belongs to a file, but is marked as free\n", first + i);
    }
    cache_put(b);
    return 0;
}

static int check_blocks(void) {
    for (uint64_t start = 0; start < block_count(); start += BLOCKS_IN_WINDOW) {
        first = (uint32_t)start;
        memset(used, 0, BLOCK_SIZE);
        int error = each_inode(visit_blocks);
        if (error == 0)
            error = compare_blocks();
        if (error)
            return error;
    }
    return 0;
}

// Checks everything, with one frame of memory, while the log is paused.
static int check_paused(void *memory) {
    used = memory;
    names = memory;
    found = 0;
    int error = check_names();
    if (error == 0)
        error = check_blocks();
    if (found > LINES_MAX)
        print("check: and %lu more\n", (unsigned long)(found - LINES_MAX));
    return error;
}

int fs_check(uint64_t *violations) {
    struct frame *f = frame_alloc(FRAME_KERNEL);
    if (f == NULL)
        return -ENOMEM;
    int error = log_pause();
    if (error == 0) {
        error = check_paused(frame_ptr(f));
        *violations = found;
        log_resume();
    }
    frame_put(f);
    return error;
}
