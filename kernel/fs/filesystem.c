// The file system as a whole: how it starts, and which of its blocks and inode numbers are in use.
#include "fs/filesystem.h"
#include "abi/errno.h"
#include "dev/disk.h"
#include "fs/file.h"
#include "fs/log.h"
#include "lib/print.h"

// Numbers of one kind, and the blocks that tell which are in use. Locks: [I] never changes, [m]
// mutex.
struct numbers {
    uint32_t start, per_block; // [I] first block; numbers that each tells of
    uint32_t end;              // [I] the largest number plus 1
    uint32_t hint;             // [m] all below are in use
    uint32_t (*take)(
        char *data,
        uint32_t i); // takes i if it is free, else returns how many from i on are in use
    void (*give)(char *data, uint32_t i);
};

static struct mutex mutex; // also guards the bitmap, and which inodes are free
static struct numbers blocks, inodes;
static uint32_t data_start; // [I]

static uint32_t block_take(char *data, uint32_t i) {
    uint64_t *word = (uint64_t *)data + i / 64, bit = 1ull << i % 64;
    if (*word == UINT64_MAX)
        return 64 - i % 64;
    if (*word & bit)
        return 1;
    *word |= bit;
    return 0;
}

static void block_give(char *data, uint32_t i) {
    ((uint64_t *)data)[i / 64] &= ~(1ull << i % 64);
}

static uint32_t inode_take(char *data, uint32_t i) {
    struct disk_inode *record = (struct disk_inode *)data + i;
    if (record->type != 0)
        return 1;
    *record = (struct disk_inode){.type = T_FILE};
    return 0;
}

static void inode_give(char *data, uint32_t i) {
    ((struct disk_inode *)data)[i] = (struct disk_inode){0};
}

// Takes the lowest free number.
static int number_alloc(struct numbers *n, uint32_t *number) {
    uint32_t used = 1;
    int error = 0;
    mutex_lock(&mutex, RANK_ALLOCATE);
    while (used > 0 && n->hint < n->end) {
        struct block *b;
        error = cache_get(n->start + n->hint / n->per_block, &b);
        if (error)
            break;
        do {
            used = n->take(b->data, n->hint % n->per_block);
            n->hint += used;
        } while (used > 0 && n->hint < n->end && n->hint % n->per_block != 0);
        if (used > 0)
            cache_put(b);
        else
            log_write(b);
    }
    if (used == 0)
        *number = n->hint;
    mutex_unlock(&mutex);
    return error ? error : used > 0 ? -ENOSPC : 0;
}

// If the block that tells of the number cannot be read, it stays in use, but nothing else is wrong.
static void number_free(struct numbers *n, uint32_t number) {
    struct block *b;
    mutex_lock(&mutex, RANK_ALLOCATE);
    if (cache_get(n->start + number / n->per_block, &b) == 0) {
        n->give(b->data, number % n->per_block);
        log_write(b);
        if (number < n->hint)
            n->hint = number;
    }
    mutex_unlock(&mutex);
}

uint32_t fs_block_count(void) {
    return blocks.end;
}
uint32_t fs_inode_count(void) {
    return inodes.end;
}
int bitmap_get(uint32_t number, struct block **b) {
    return cache_get(blocks.start + number / blocks.per_block, b);
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

int inode_record_get(uint32_t number, struct block **b, struct disk_inode **record) {
    if (number < ROOT_INODE || number >= inodes.end)
        return -EIO;
    int error = cache_get(inodes.start + number / INODES_PER_BLOCK, b);
    if (error == 0)
        *record = (struct disk_inode *)(*b)->data + number % INODES_PER_BLOCK;
    return error;
}

int inode_number_alloc(uint32_t *number) {
    return number_alloc(&inodes, number);
}
void inode_number_free(uint32_t number) {
    number_free(&inodes, number);
}

void fs_init(uint64_t ram_bytes) {
    cache_init(ram_bytes);
    inode_init();
    file_init();
}

// Tells whether the areas follow each other, are large enough and lie on the disk.
static bool superblock_is_sane(const struct superblock *s) {
    return s->magic == DISK_MAGIC && s->blocks <= disk_blocks() && s->log_start >= 1 &&
           (uint64_t)s->log_start + s->log_blocks <= s->inode_start &&
           (uint64_t)s->inode_start + s->inode_blocks <= s->bitmap_start &&
           (uint64_t)s->bitmap_start + s->bitmap_blocks <= s->data_start &&
           s->data_start <= s->blocks && s->inode_count > ROOT_INODE &&
           s->inode_count <= INODES_MAX &&
           s->inode_count <= (uint64_t)s->inode_blocks * INODES_PER_BLOCK &&
           s->blocks <= (uint64_t)s->bitmap_blocks * BITS_PER_BLOCK;
}

// Tells whether the inode is in use without a name: it was open when the machine stopped. Adds its
// blocks to *blocks.
static bool is_orphan(uint32_t number, uint64_t *blocks) {
    struct block *b;
    struct disk_inode *record;
    if (inode_record_get(number, &b, &record) != 0)
        return false;
    bool is_orphan = inode_is_sane(record) && record->nlink == 0;
    if (is_orphan)
        *blocks += record->size / BLOCK_SIZE;
    cache_put(b);
    return is_orphan;
}

// Frees what is in use without a name. All that together is not larger than the disk, unless the
// disk is damaged: then it could take for ever.
static void free_orphans(void) {
    struct inode *ip;
    uint64_t total = 0;
    for (uint32_t i = ROOT_INODE + 1; i < inodes.end; i++) {
        if (!is_orphan(i, &total))
            continue;
        if (total > fs_block_count()) {
            print("disk: files without names have more blocks than there are\n");
            return;
        }
        if (inode_open_unnamed(i, &ip) == 0)
            inode_put(ip);
    }
}

int fs_mount(struct inode **root) {
    struct block *b;
    bool was_used;
    int error = disk_blocks() == 0 ? -ENODEV : cache_get(0, &b);
    if (error)
        return error;
    struct superblock s = *(struct superblock *)b->data;
    cache_put(b);
    if (superblock_is_foreign(&s)) {
        print("disk: the image was made by another version of cow6; build it again\n");
        return -EINVAL;
    }
    if (!superblock_is_sane(&s)) {
        print("disk: no cow6 file system, or its superblock is damaged\n");
        return -EINVAL;
    }
    mutex_init(&mutex);
    data_start = s.data_start;
    blocks = (struct numbers){s.bitmap_start, BITS_PER_BLOCK, s.blocks,
                              data_start,     block_take,     block_give};
    inodes = (struct numbers){s.inode_start,  INODES_PER_BLOCK, s.inode_count,
                              ROOT_INODE + 1, inode_take,       inode_give};
    error = log_mount(&s, &was_used);
    if (error)
        return error;
    if (was_used)
        free_orphans();
    return inode_open(ROOT_INODE, root);
}
