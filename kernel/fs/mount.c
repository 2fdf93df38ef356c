// Mounting. After a crash it also frees the files and directories that had lost their last name but
// were still open.
#include "fs/mount.h"
#include "abi/errno.h"
#include "dev/disk.h"
#include "fs/allocate.h"
#include "fs/file.h"
#include "fs/log.h"
#include "fs/walk.h"
#include "lib/print.h"

void fs_init(uint64_t ram_bytes) {
    cache_init(ram_bytes);
    nameindex_init(ram_bytes);
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

static int read_superblock(struct superblock *super) {
    struct block *b;
    if (disk_blocks() == 0)
        return -ENODEV;
    int error = cache_get(0, &b);
    if (error)
        return error;
    *super = *(struct superblock *)b->data;
    cache_put(b);
    if (superblock_is_foreign(super)) {
        print("disk: the image was made by another version of cow6; build it again\n");
        return -EINVAL;
    }
    if (!superblock_is_sane(super)) {
        print("disk: no cow6 file system, or its superblock is damaged\n");
        return -EINVAL;
    }
    return 0;
}

// Tells whether the inode is in use but has no name: it was open when the machine stopped. Adds the
// number of its full blocks to *block_total.
static bool is_orphan(uint32_t number, uint64_t *block_total) {
    struct block *b;
    struct disk_inode *record;
    if (inode_record_get(number, &b, &record) != 0)
        return false;
    bool nameless = inode_is_sane(record) && record->nlink == 0;
    if (nameless)
        *block_total += record->size / BLOCK_SIZE;
    cache_put(b);
    return nameless;
}

// Frees all orphans. Together they cannot be larger than the disk. If they claim to be, the disk is
// damaged, and freeing them could take almost forever, so the rest is left as it is.
static void free_orphans(void) {
    uint64_t block_total = 0;
    for (uint32_t i = ROOT_INODE + 1; i < inode_number_count(); i++) {
        struct inode *ip;
        if (!is_orphan(i, &block_total))
            continue;
        if (block_total > block_count()) {
            print("disk: unlinked files claim more blocks than the disk has; "
                  "they are not freed\n");
            return;
        }
        if (inode_open_unnamed(i, &ip) == 0)
            inode_put(ip);
    }
}

int fs_mount(struct inode **root) {
    struct superblock super;
    bool was_used;
    int error = read_superblock(&super);
    if (error)
        return error;
    allocate_mount(&super);
    error = log_mount(&super, &was_used);
    if (error)
        return error;
    if (was_used)
        free_orphans();
    error = inode_open(ROOT_INODE, root);
    if (error == 0)
        walk_set_root(inode_get(*root));
    return error;
}
