// Which inode uses which blocks.
#include "blocks.h"

#include <inttypes.h>
#include <stdlib.h>

// The walk through one inode's tree of blocks.
struct claim {
    struct check *check;
    uint32_t inode;
    const struct disk_inode *disk;
    uint64_t needed; // blocks that its size requires
    uint64_t missing, first_missing, surplus;
    uint32_t first_surplus; // a block of the disk
};

static void collect_entries(struct check *c, const struct dirent *first, size_t count) {
    if (c->entries_size + count > c->entries_room) {
        c->entries_room = 2 * c->entries_room + 1024;
        c->entries = realloc(c->entries, c->entries_room * sizeof *c->entries);
        if (c->entries == NULL)
            fail(2, "not enough memory");
    }
    for (size_t i = 0; i < count; i++) {
        if (first[i].inum != 0)
            c->entries[c->entries_size++] = &first[i];
    }
}

// Blocks of contents below a pointer of each level.
static const uint64_t spans[] = {1, POINTERS_PER_BLOCK,
                                 POINTERS_PER_BLOCK * 1ull * POINTERS_PER_BLOCK};

// Notes that a pointer for the file's blocks from `index` on is 0.
static void note_missing(struct claim *claim, unsigned level, uint64_t index) {
    if (index >= claim->needed)
        return;
    if (claim->missing == 0)
        claim->first_missing = index;
    claim->missing += min_u64(claim->needed - index, spans[level]);
}

// Claims the block for the inode. Returns whether the inode may have it and nothing else uses it.
static bool claim_block(struct claim *claim, uint32_t block) {
    struct check *c = claim->check;
    if (block < c->super->data_start || block >= c->super->blocks) {
        report(c, claim->inode, "pointer to block %u, which is %s", block,
               block < c->super->blocks ? "not in the data area" : "past the end of the disk");
        return false;
    }
    if (c->owners[block] != 0) {
        report_two(c, claim->inode, c->owners[block], "block %u is also used by ", block);
        return false;
    }
    c->owners[block] = (uint16_t)claim->inode;
    c->blocks_used++;
    return true;
}

// Notes that the inode uses the block as its block `index`, and everything below it if it is a
// pointer block. A block that is in use already is left alone, so each is walked once.
static void claim_tree(struct claim *claim, uint32_t block, unsigned level, uint64_t index) {
    struct check *c = claim->check;
    if (block == 0) {
        note_missing(claim, level, index);
        return;
    }
    if (index >= claim->needed && claim->surplus++ == 0)
        claim->first_surplus = block;
    if (!claim_block(claim, block))
        return;
    if (level > 0) {
        const uint32_t *pointers = image_block(c->image, block);
        for (unsigned i = 0; i < POINTERS_PER_BLOCK; i++)
            claim_tree(claim, pointers[i], level - 1, index + i * spans[level - 1]);
    } else if (claim->disk->type == T_DIR && index < claim->needed) {
        uint64_t bytes = min_u64(claim->disk->size - index * BLOCK_SIZE, BLOCK_SIZE);
        collect_entries(c, image_block(c->image, block), bytes / sizeof(struct dirent));
    }
}

void blocks_check(struct check *c, uint32_t number, const struct disk_inode *disk) {
    uint64_t needed = disk->size / BLOCK_SIZE + (disk->size % BLOCK_SIZE != 0);
    if (disk->type == T_DEVICE)
        needed = 0;
    struct claim claim = {
        .check = c, .inode = number, .disk = disk, .needed = min_u64(needed, FILE_BLOCKS_MAX)};
    for (unsigned i = 0; i < DIRECT_BLOCKS; i++)
        claim_tree(&claim, disk->direct[i], 0, i);
    claim_tree(&claim, disk->indirect, 1, DIRECT_BLOCKS);
    claim_tree(&claim, disk->double_indirect, 2, DIRECT_BLOCKS + POINTERS_PER_BLOCK);
    if (claim.missing > 0)
        report(c, number,
               "%" PRIu64 " blocks missing below its size, the first is number %" PRIu64
               " of the file",
               claim.missing, claim.first_missing);
    if (claim.surplus > 0)
        report(c, number, "%" PRIu64 " blocks beyond its size, the first is block %u",
               claim.surplus, claim.first_surplus);
}
