// How an image is checked, in one pass over the inodes and one over what that found:
//   check_superblock, check_log
//   once for each inode:
//     check_fields, blocks_check   its fields, and who uses which block
//     directory_check              the names in it, and which inodes they name
//   once for each inode:
//     links_check                  counts of links, and the directories' places in the tree
//   check_bitmap                   compared with the blocks that are used
#include "check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "abi/logformat.h"
#include "blocks.h"
#include "names.h"

// ---- Superblock and log ----

static void check_areas(struct check *c) {
    const struct superblock *s = c->super;
    const uint64_t data_blocks = s->blocks > s->data_start ? s->blocks - s->data_start : 0;
    const struct {
        const char *name;
        uint64_t start, blocks, needed;
    } areas[] = {
        {"log", s->log_start, s->log_blocks, 2},
        {"inodes", s->inode_start, s->inode_blocks,
         (s->inode_count + INODES_PER_BLOCK - 1) / INODES_PER_BLOCK},
        {"bitmap", s->bitmap_start, s->bitmap_blocks,
         ((uint64_t)s->blocks + BITS_PER_BLOCK - 1) / BITS_PER_BLOCK},
        {"data", s->data_start, data_blocks, 1},
    };
    uint64_t end = 1;
    for (size_t i = 0; i < ARRAY_SIZE(areas); i++) {
        const char *name = areas[i].name;
        if (areas[i].blocks < areas[i].needed)
            report(c, 0,
                   "superblock: area %s has %" PRIu64 " blocks, at least %" PRIu64 " are needed",
                   name, areas[i].blocks, areas[i].needed);
        if (areas[i].start < end)
            report(c, 0,
                   "superblock: area %s starts at block %" PRIu64
                   ", but what is before it ends at %" PRIu64,
                   name, areas[i].start, end);
        end = areas[i].start + areas[i].blocks;
        if (end > s->blocks)
            report(c, 0, "superblock: area %s ends at block %" PRIu64 ", the disk at %u", name, end,
                   s->blocks);
    }
}

bool check_superblock(struct check *c, struct image *image) {
    *c = (struct check){.image = image, .super = image_super(image)};
    findings_init(c);
    const struct superblock *s = c->super;
    if (image->blocks == 0) {
        report(c, 0, "superblock: the image is shorter than a block");
        return false;
    }
    if (superblock_is_foreign(s)) {
        report(c, 0, "superblock: the image was made by another version of cow6; build it again");
        return false;
    }
    if (s->magic != DISK_MAGIC) {
        report(c, 0, "superblock: magic number is 0x%08x, not 0x%08x", s->magic, DISK_MAGIC);
        return false;
    }
    if (s->blocks > image->blocks)
        report(c, 0, "superblock: the disk has %u blocks, the image only %" PRIu64, s->blocks,
               image->blocks);
    if (s->inode_count < 2 || s->inode_count > INODES_MAX)
        report(c, 0, "superblock: %u inodes, must be 2 to %d", s->inode_count, INODES_MAX);
    else
        check_areas(c);
    return c->violations == 0;
}

// Returns the header of the segment at this position of the log, or NULL if that does not continue
// the log or is not whole.
static struct log_header *find_segment(const struct check *c, uint32_t position, uint64_t number) {
    uint64_t first = (uint64_t)c->super->log_start + position;
    if (position == c->super->log_blocks)
        return NULL;
    struct log_header *header = image_block(c->image, first);
    if (!log_header_fits(header, c->super, position, number))
        return NULL;
    for (uint32_t i = 1; i <= header->sector[0].count; i++) {
        if (!log_has_number(image_block(c->image, first + i), header->sector[0].number))
            return NULL;
    }
    return header;
}

// Returns the length of the record at this position of the log, 0 if there is none that is whole.
static uint32_t measure_record(const struct check *c, uint32_t position, uint64_t number) {
    const struct log_header *header;
    uint32_t end = position;
    do {
        header = find_segment(c, end, number);
        if (header == NULL)
            return 0;
        number = header->sector[0].number;
        end += 1 + header->sector[0].count;
    } while (header->sector[0].more);
    return end - position;
}

static const struct log_header *header_at(const struct check *c, uint32_t position) {
    return image_block(c->image, (uint64_t)c->super->log_start + position);
}

// Tells whether the log may change what the segment changes.
static bool segment_is_valid(struct check *c, const struct log_header *header) {
    for (uint32_t i = 0; i < header->sector[0].count; i++) {
        uint32_t home = log_header_home(header, i);
        if (log_home_is_valid(c->super, home))
            continue;
        report(c, 0, "log: record %" PRIu64 " has a block for %u, which the log must not change",
               header->sector[0].number, home);
        return false;
    }
    return true;
}

// The blocks follow the header in memory.
static void replay_segment(struct check *c, const struct log_header *header) {
    for (uint32_t i = 0; i < header->sector[0].count; i++) {
        void *home = image_block(c->image, log_header_home(header, i));
        memcpy(home, header + 1 + i, BLOCK_SIZE);
        log_header_restore(header, i, home);
    }
}

// Replays the record between these positions. Returns false, and replays nothing, if it is invalid.
static bool replay_record(struct check *c, uint32_t start, uint32_t end) {
    for (uint32_t at = start; at < end; at += 1 + header_at(c, at)->sector[0].count) {
        if (!segment_is_valid(c, header_at(c, at)))
            return false;
    }
    for (uint32_t at = start; at < end; at += 1 + header_at(c, at)->sector[0].count)
        replay_segment(c, header_at(c, at));
    return true;
}

void check_log(struct check *c, bool replay) {
    uint32_t position = 0, length;
    uint64_t number = 0;
    while ((length = measure_record(c, position, number)) > 0) {
        if (replay && !replay_record(c, position, position + length))
            break;
        c->log_records++;
        number = header_at(c, position)->sector[0].number + 1;
        position += length;
    }
}

// ---- Inodes ----

static void check_fields(struct check *c, uint32_t number, const struct disk_inode *disk) {
    if (disk->type > T_DEVICE)
        report(c, number, "bad type %u", disk->type);
    if (number == ROOT_INODE && disk->type != T_DIR)
        report(c, number, "the root is not a directory");
    if (disk->type == T_DEVICE && disk->major != DEVICE_CONSOLE)
        warn(c, number, "bad device number: no device has major number %u", disk->major);
    if (disk->type != T_DEVICE && (disk->major != 0 || disk->minor != 0))
        report(c, number, "bad device number: %u, %u, but it is not a device", disk->major,
               disk->minor);
    if (disk->nlink > LINKS_MAX)
        report(c, number, "nlink is %u, more than %d", disk->nlink, LINKS_MAX);
    if (disk->type == T_DEVICE && disk->size != 0)
        report(c, number, "size %" PRIu64 " of a device, must be 0", disk->size);
    if (disk->size > FILE_BLOCKS_MAX * BLOCK_SIZE)
        report(c, number, "size %" PRIu64 " is too large", disk->size);
    if (disk->type == T_DIR && disk->size % sizeof(struct dirent) != 0)
        report(c, number, "size %" PRIu64 " of a directory, must be a multiple of 16", disk->size);
    if (disk->type == T_DIR && disk->size > DIRECTORY_BYTES_MAX)
        report(c, number, "size %" PRIu64 " of a directory, at most %d", disk->size,
               DIRECTORY_BYTES_MAX);
}

static void check_inode(struct check *c, uint32_t number) {
    const struct disk_inode *disk = image_inode(c->image, number);
    struct inode_facts *facts = &c->facts[number];
    c->inodes_used++;
    check_fields(c, number, disk);
    facts->first_entry = c->entries_size;
    blocks_check(c, number, disk);
    facts->entries = c->entries_size - facts->first_entry;
    if (disk->type == T_DIR)
        directory_check(c, number, disk);
}

// ---- Bitmap ----

enum bitmap_fault { BITMAP_RIGHT, BITMAP_METADATA_FREE, BITMAP_USED_FREE, BITMAP_UNUSED_MARKED };

static enum bitmap_fault find_bitmap_fault(const struct check *c, uint64_t block) {
    bool marked = image_is_marked(c->image, block);
    if (block < c->super->data_start)
        return marked ? BITMAP_RIGHT : BITMAP_METADATA_FREE;
    if (marked == (c->owners[block] != 0))
        return BITMAP_RIGHT;
    return marked ? BITMAP_UNUSED_MARKED : BITMAP_USED_FREE;
}

static void check_bitmap(struct check *c) {
    static const char *const messages[] = {
        [BITMAP_METADATA_FREE] = "of metadata, but marked free",
        [BITMAP_USED_FREE] = "in use, but marked free",
        [BITMAP_UNUSED_MARKED] = "marked used, but nothing uses it",
    };
    for (uint64_t i = 0, next; i < c->super->blocks; i = next) {
        enum bitmap_fault fault = find_bitmap_fault(c, i);
        for (next = i + 1; next < c->super->blocks; next++)
            if (find_bitmap_fault(c, next) != fault ||
                (fault != BITMAP_RIGHT && c->owners[next] != c->owners[i]))
                break;
        if (fault != BITMAP_RIGHT && next == i + 1)
            report(c, c->owners[i], "block %" PRIu64 " is %s", i, messages[fault]);
        else if (fault != BITMAP_RIGHT)
            report(c, c->owners[i], "blocks %" PRIu64 " to %" PRIu64 ", each is %s", i, next - 1,
                   messages[fault]);
    }
    const uint64_t bits = (uint64_t)c->super->bitmap_blocks * BITS_PER_BLOCK;
    uint64_t past_end = c->super->blocks;
    while (past_end < bits && !image_is_marked(c->image, past_end))
        past_end++;
    if (past_end < bits)
        report(c, 0, "bitmap marks block %" PRIu64 ", which is past the end of the disk", past_end);
}

// ---- All ----

void check_contents(struct check *c) {
    c->owners = memory_map_or_fail(c->super->blocks * sizeof *c->owners);
    // Large enough for any inode number that an entry may hold.
    c->facts = memory_map_or_fail((INODES_MAX + 1) * sizeof *c->facts);
    c->facts[0].reach = REACH_NOTHING;
    c->facts[ROOT_INODE].reach = REACH_ROOT;
    if (image_inode(c->image, 0)->type != 0)
        report(c, 0, "inode 0 is not free");
    if (image_inode(c->image, ROOT_INODE)->type == 0)
        report(c, ROOT_INODE, "the root is free");
    for (uint32_t i = ROOT_INODE; i < c->super->inode_count; i++) {
        if (facts_is_inode(c, i))
            check_inode(c, i);
    }
    for (uint32_t i = ROOT_INODE; i < c->super->inode_count; i++)
        if (facts_is_inode(c, i))
            links_check(c, i);
    check_bitmap(c);
}

void check_destroy(struct check *c) {
    findings_destroy(c);
    if (c->facts != NULL) {
        memory_unmap(c->owners, c->super->blocks * sizeof *c->owners);
        memory_unmap(c->facts, (INODES_MAX + 1) * sizeof *c->facts);
    }
    free(c->entries);
}
