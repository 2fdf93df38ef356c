// Starting the file system: memory for its parts, and a look at the disk.
#include "fs/filesystem.h"

#include "abi/errno.h"
#include "dev/disk.h"
#include "fs/allocate.h"
#include "fs/file.h"
#include "fs/log.h"
#include "lib/print.h"

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
           (uint64_t)s->bitmap_start + s->bitmap_blocks <= s->data_start && s->data_start <= s->blocks &&
           s->inode_count > ROOT_INODE && s->inode_count <= INODES_MAX &&
           s->inode_count <= (uint64_t)s->inode_blocks * INODES_PER_BLOCK &&
           s->blocks <= (uint64_t)s->bitmap_blocks * BITS_PER_BLOCK;
}

// Frees the inodes that were open without links when the machine stopped.
static void orphans_free(const struct superblock *super) {
    for (uint32_t i = ROOT_INODE + 1; i < super->inode_count; i++) {
        struct block *b;
        struct inode *ip;
        if (cache_get(inode_number_block(i), &b) != 0) return;
        struct disk_inode disk = ((struct disk_inode *)b->data)[i % INODES_PER_BLOCK];
        cache_put(b);
        if (disk.type != 0 && disk.nlink == 0 && inode_open(i, &ip) == 0) inode_put(ip);
    }
}

int fs_mount(struct inode **root) {
    struct block *b;
    bool was_used;
    int error = disk_blocks() == 0 ? -ENODEV : cache_get(0, &b);
    if (error) return error;
    struct superblock super = *(struct superblock *)b->data;
    cache_put(b);
    if (!superblock_is_sane(&super)) {
        print("disk: no cow6 file system, or its superblock is damaged\n");
        return -EINVAL;
    }
    allocate_mount(&super);
    error = log_mount(&super, &was_used);
    if (error) return error;
    if (was_used) orphans_free(&super);
    error = inode_open(ROOT_INODE, root);
    if (error == 0 && (*root)->disk.type != T_DIR) {
        inode_put(*root);
        error = -EINVAL;
    }
    return error;
}
