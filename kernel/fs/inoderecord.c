// The records of inodes.
#include "fs/inoderecord.h"
#include "abi/stat.h"
#include "fs/allocate.h"
#include "fs/filemap.h"
#include "lib/print.h"
#include "lib/string.h"

bool inode_is_sane(const struct disk_inode *disk) {
    uint64_t size_max = disk->type == T_DIR ? DIRECTORY_BYTES_MAX : FILE_BLOCKS_MAX * BLOCK_SIZE;
    if (disk->type < T_DIR || disk->type > T_DEVICE || disk->nlink > LINKS_MAX ||
        disk->size > size_max)
        return false;
    if (disk->type == T_DIR && disk->size % sizeof(struct dirent) != 0)
        return false;
    return disk->size / BLOCK_SIZE < block_count(); // files have no holes
}

// Returns the inode that a directory's ".." names, which is its second entry; 0 if it cannot be
// read.
static uint32_t read_parent(const struct disk_inode *disk) {
    struct block *b;
    if (disk->size < 2 * sizeof(struct dirent) || filemap_get(disk, 0, &b) != 0)
        return 0;
    const struct dirent *e = (const struct dirent *)b->data + 1;
    uint32_t parent = memcmp(e->name, "..", 3) == 0 ? e->inum : 0;
    cache_put(b);
    return parent;
}

bool inode_read_record(uint32_t number, struct disk_inode *disk, uint32_t *parent) {
    struct block *b;
    struct disk_inode *record;
    if (inode_record_get(number, &b, &record) != 0)
        return false;
    *disk = *record;
    cache_put(b);
    bool is_sane = inode_is_sane(disk);
    if (!is_sane && disk->type != 0)
        print("disk: inode %u is damaged\n", number);
    *parent = is_sane && disk->type == T_DIR ? read_parent(disk) : 0;
    return is_sane;
}
