// How an image is checked, in one pass over the inodes and one over what that found:
//   check_superblock, check_log
//   inode_check          its fields; claim_tree notes who uses each block and that each is used
//   once directory_check      names, and for each inode how many entries name it, and the first of
//   them links_check          counts, parents, reachability bitmap_check         against the blocks
//   that claim_tree saw used
// Findings are kept as text and printed at the end, when all paths are known.
#include "check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "abi/logformat.h"

enum { FINDINGS_KEPT = 1000 };

struct finding {
    bool warning;
    uint32_t inode; // 0: none
    uint32_t other; // a second inode that the text ends with, 0: none
    char text[128];
};

// ---- Findings ----

static void *memory_get(uint64_t size) {
    void *memory = memory_map(size);
    if (memory == NULL)
        fail(2, "not enough memory");
    return memory;
}

static void keep(struct check *c, struct finding finding, const char *format, va_list arguments) {
    unsigned kept = c->violations + c->warnings;
    if (finding.warning)
        c->warnings++;
    else
        c->violations++;
    if (kept >= FINDINGS_KEPT)
        return;
    vsnprintf(finding.text, sizeof finding.text, format, arguments);
    c->findings[kept] = finding;
}

// Notes a violation by an inode (0: by none), and by the `other` inode that the text ends with.
__attribute__((format(printf, 4, 5))) static void
report_two(struct check *c, uint32_t inode, uint32_t other, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    keep(c, (struct finding){.inode = inode, .other = other}, format, arguments);
    va_end(arguments);
}

#define report(c, inode, ...) report_two(c, inode, 0, __VA_ARGS__)

__attribute__((format(printf, 3, 4))) static void warn(struct check *c, uint32_t inode,
                                                       const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    keep(c, (struct finding){.warning = true, .inode = inode}, format, arguments);
    va_end(arguments);
}

// Puts a name before the text that starts at *start; returns false if there is no room for it.
static bool path_prepend(char *buffer, size_t *start, const struct dirent *entry) {
    size_t length = strnlen(entry->name, NAME_BYTES);
    if (*start < length + 8)
        return false;
    *start -= length;
    for (size_t i = 0; i < length; i++) {
        char byte = entry->name[i];
        buffer[*start + i] = byte > ' ' && byte < 127 ? byte : '?';
    }
    buffer[--*start] = '/';
    return true;
}

const char *check_path(const struct check *c, uint32_t directory, const struct dirent *entry) {
    static char buffers[2][1024];
    static unsigned turn;
    char *buffer = buffers[turn++ % 2];
    size_t start = sizeof buffers[0] - 1;
    if (directory == ROOT_INODE && entry == NULL)
        return "/";
    bool whole = entry == NULL || path_prepend(buffer, &start, entry);
    while (whole && directory != ROOT_INODE) {
        const struct inode_facts *facts = &c->facts[directory];
        whole = facts->name != NULL && path_prepend(buffer, &start, facts->name);
        directory = facts->parent;
    }
    return whole ? buffer + start : memcpy(buffer + start - 3, "...", 3);
}

static void print_inode(const struct check *c, FILE *out, uint32_t number) {
    fprintf(out, "inode %u", number);
    if (c->facts != NULL && (number == ROOT_INODE || c->facts[number].name != NULL))
        fprintf(out, " (%s)", check_path(c, number, NULL));
}

void check_print(const struct check *c, FILE *out, bool warnings) {
    unsigned found = c->violations + c->warnings;
    for (unsigned i = 0; i < found && i < FINDINGS_KEPT; i++) {
        const struct finding *finding = &c->findings[i];
        if (finding->warning && !warnings)
            continue;
        fputs(finding->warning ? "warning: " : "violation: ", out);
        if (finding->inode != 0) {
            print_inode(c, out, finding->inode);
            fputs(": ", out);
        }
        fputs(finding->text, out);
        if (finding->other != 0)
            print_inode(c, out, finding->other);
        fputc('\n', out);
    }
    if (found > FINDINGS_KEPT)
        fprintf(out, "... and %u more\n", found - FINDINGS_KEPT);
}

// ---- Superblock and log ----

static void areas_check(struct check *c) {
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
    c->findings = memory_get(FINDINGS_KEPT * sizeof *c->findings);
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
        areas_check(c);
    return c->violations == 0;
}

// Tells whether the record at this position of the log is whole.
static bool record_is_committed(const struct check *c, uint32_t position, uint64_t sequence) {
    uint64_t first = (uint64_t)c->super->log_start + position;
    struct log_header header;
    if (position == c->super->log_blocks)
        return false;
    memcpy(&header, image_block(c->image, first), sizeof header);
    if (!log_header_fits(&header, c->super, position, sequence))
        return false;
    uint64_t wanted = header.sector[0].checksum;
    struct checksum sum;
    checksum_begin(&sum);
    for (uint32_t i = 1; i <= header.sector[0].count; i++)
        checksum_add(&sum, image_block(c->image, first + i), BLOCK_SIZE);
    return log_checksum_end(&sum, &header) == wanted;
}

// Tells whether the log may change what the record changes.
static bool record_is_valid(struct check *c, const struct log_header *header) {
    for (uint32_t i = 0; i < header->sector[0].count; i++) {
        uint32_t home = log_header_home(header, i);
        if (log_home_is_valid(c->super, home))
            continue;
        report(c, 0, "log: record %" PRIu64 " has a block for %u, which the log must not change",
               header->sector[0].sequence, home);
        return false;
    }
    return true;
}

// The blocks follow the header in memory.
static void record_replay(struct check *c, const struct log_header *header) {
    for (uint32_t i = 0; i < header->sector[0].count; i++) {
        void *home = image_block(c->image, log_header_home(header, i));
        memcpy(home, header + 1 + i, BLOCK_SIZE);
        log_set_magic(home, log_header_escaped(header, i), LOG_MAGIC);
    }
}

void check_log(struct check *c, bool replay) {
    uint32_t position = 0;
    uint64_t sequence = 0;
    while (record_is_committed(c, position, sequence)) {
        const struct log_header *header =
            image_block(c->image, (uint64_t)c->super->log_start + position);
        if (replay && !record_is_valid(c, header))
            break;
        if (replay)
            record_replay(c, header);
        c->log_records++;
        sequence = header->sector[0].sequence + 1;
        position += 1 + header->sector[0].count;
    }
}

// ---- Inodes and their blocks ----

// The walk through one inode's tree of blocks.
struct claim {
    struct check *check;
    uint32_t inode;
    const struct disk_inode *disk;
    uint64_t needed; // blocks its size takes
    uint64_t missing, first_missing, surplus;
    uint32_t first_surplus; // a block of the disk
};

static void entries_collect(struct check *c, const struct dirent *first, size_t count) {
    if (c->entries_size + count > c->entries_room) {
        c->entries_room = 2 * c->entries_room + 1024;
        c->entries = realloc(c->entries, c->entries_room * sizeof *c->entries);
        if (c->entries == NULL)
            fail(2, "not enough memory");
    }
    for (size_t i = 0; i < count; i++)
        if (first[i].inum != 0)
            c->entries[c->entries_size++] = &first[i];
}

// Notes that the inode uses the block as its block `index`, and all that hangs below if it is a
// block of pointers. A block that is in use already is left alone, so each is walked once.
static void claim_tree(struct claim *claim, uint32_t block, unsigned level, uint64_t index) {
    static const uint64_t spans[] = {1, POINTERS_PER_BLOCK,
                                     (uint64_t)POINTERS_PER_BLOCK * POINTERS_PER_BLOCK};
    struct check *c = claim->check;
    if (block == 0) {
        if (index < claim->needed && claim->missing == 0)
            claim->first_missing = index;
        if (index < claim->needed)
            claim->missing +=
                claim->needed - index < spans[level] ? claim->needed - index : spans[level];
        return;
    }
    if (index >= claim->needed && claim->surplus++ == 0)
        claim->first_surplus = block;
    if (block < c->super->data_start || block >= c->super->blocks) {
        report(c, claim->inode, "pointer to block %u, which is %s", block,
               block < c->super->blocks ? "not in the data area" : "past the end of the disk");
        return;
    }
    if (c->owners[block] != 0) {
        report_two(c, claim->inode, c->owners[block], "block %u is also used by ", block);
        return;
    }
    c->owners[block] = (uint16_t)claim->inode;
    c->blocks_used++;
    if (level > 0) {
        const uint32_t *pointers = image_block(c->image, block);
        for (unsigned i = 0; i < POINTERS_PER_BLOCK; i++)
            claim_tree(claim, pointers[i], level - 1, index + i * spans[level - 1]);
    } else if (claim->disk->type == T_DIR && index < claim->needed) {
        uint64_t bytes = claim->disk->size - index * BLOCK_SIZE;
        entries_collect(c, image_block(c->image, block),
                        (bytes < BLOCK_SIZE ? bytes : BLOCK_SIZE) / sizeof(struct dirent));
    }
}

static void blocks_check(struct check *c, uint32_t number, const struct disk_inode *disk) {
    uint64_t needed = disk->size / BLOCK_SIZE + (disk->size % BLOCK_SIZE != 0);
    if (disk->type == T_DEVICE)
        needed = 0;
    struct claim claim = {.check = c, .inode = number, .disk = disk, .needed = needed};
    if (needed > FILE_BLOCKS_MAX)
        claim.needed = FILE_BLOCKS_MAX;
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

static void fields_check(struct check *c, uint32_t number, const struct disk_inode *disk) {
    if (disk->type > T_DEVICE)
        report(c, number, "bad type %u", disk->type);
    if (number == ROOT_INODE && disk->type != T_DIR)
        report(c, number, "the root is not a directory");
    if (disk->type == T_DEVICE && disk->major != DEVICE_CONSOLE)
        warn(c, number, "bad device number: no device has major number %u", disk->major);
    if (disk->type != T_DEVICE && (disk->major != 0 || disk->minor != 0))
        report(c, number, "bad device number: %u, %u, but it is no device", disk->major,
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

// ---- Directories ----

static int compare_entries(const void *a, const void *b) {
    const struct dirent *left = *(const struct dirent *const *)a,
                        *right = *(const struct dirent *const *)b;
    int order = strncmp(left->name, right->name, NAME_BYTES);
    return order != 0 ? order : (left > right) - (left < right); // the disk's order for equal names
}

static void name_check(struct check *c, uint32_t directory, const struct dirent *entry,
                       const struct dirent *previous) {
    size_t length = strnlen(entry->name, NAME_BYTES);
    const char *text = check_path(c, ROOT_INODE, entry) + 1;
    if (length == 0)
        report(c, directory, "entry for inode %u has an empty name", entry->inum);
    if (memchr(entry->name, '/', length) != NULL)
        report(c, directory, "name '%s' has a slash", text);
    for (size_t i = length; i < NAME_BYTES; i++) {
        if (entry->name[i] != 0) {
            report(c, directory, "name '%s' is not filled up with zeros", text);
            break;
        }
    }
    if (previous != NULL && strncmp(previous->name, entry->name, NAME_BYTES) == 0)
        report(c, directory, "name '%s' appears twice", text);
    if (!check_is_inode(c, entry->inum))
        report(c, directory, "'%s' names inode %u, which is %s", text, entry->inum,
               entry->inum < c->super->inode_count ? "free" : "past the last one");
}

// Counts the link that the entry is for the inode it names.
static void entry_count(struct check *c, uint32_t directory, const struct dirent *entry) {
    struct inode_facts *named = &c->facts[entry->inum];
    if (!check_is_inode(c, entry->inum))
        return;
    if (!entry_is_dots(entry)) {
        named->links++;
        if (named->names++ == 0) {
            named->parent = directory;
            named->name = entry;
        }
    } else if (entry->name[1] == '.') {
        named->links++;
        c->facts[directory].up = entry->inum;
    }
}

// The kernel looks for ".." nowhere else.
static bool is_second(const struct check *c, const struct disk_inode *disk,
                      const struct dirent *entry) {
    size_t offset = (size_t)((const uint8_t *)entry - c->image->bytes);
    return offset == (size_t)disk->direct[0] * BLOCK_SIZE + sizeof *entry;
}

static void directory_check(struct check *c, uint32_t number, const struct disk_inode *disk) {
    struct inode_facts *facts = &c->facts[number];
    const struct dirent **entries = facts->entries > 0 ? c->entries + facts->first_entry : NULL;
    unsigned dots = 0, others = 0;
    if (facts->entries > 0)
        qsort(entries, facts->entries, sizeof *entries, compare_entries);
    for (size_t i = 0; i < facts->entries; i++) {
        const struct dirent *entry = entries[i];
        bool is_dots = entry_is_dots(entry);
        dots += is_dots;
        others += !is_dots;
        if (disk->nlink == 0)
            continue; // removed: its ".." no longer counts, and may name what is gone too
        name_check(c, number, entry, i > 0 ? entries[i - 1] : NULL);
        entry_count(c, number, entry);
        if (is_dots && entry->name[1] == 0 && entry->inum != number)
            report(c, number, "'.' names inode %u", entry->inum);
        if (is_dots && entry->name[1] == '.' && !is_second(c, disk, entry))
            report(c, number, "'..' is not the second entry");
    }
    if (dots < 2 && disk->nlink > 0)
        report(c, number, "'.' or '..' missing");
    if (disk->nlink == 0 && others > 0)
        report(c, number, "removed directory is not empty: %u entries", others);
}

static void inode_check(struct check *c, uint32_t number) {
    const struct disk_inode *disk = image_inode(c->image, number);
    struct inode_facts *facts = &c->facts[number];
    c->inodes_used++;
    fields_check(c, number, disk);
    facts->first_entry = c->entries_size;
    blocks_check(c, number, disk);
    facts->entries = c->entries_size - facts->first_entry;
    if (disk->type == T_DIR)
        directory_check(c, number, disk);
}

// Returns where the parents of a directory lead.
static enum reach reach_find(struct check *c, uint32_t number) {
    uint32_t at = number;
    for (; c->facts[at].reach == REACH_UNKNOWN; at = c->facts[at].parent)
        c->facts[at].reach = REACH_WALKING;
    enum reach result = c->facts[at].reach == REACH_WALKING ? REACH_LOOP : c->facts[at].reach;
    for (at = number; c->facts[at].reach == REACH_WALKING; at = c->facts[at].parent)
        c->facts[at].reach = result;
    return result;
}

static void parent_check(struct check *c, uint32_t number) {
    const struct inode_facts *facts = &c->facts[number];
    uint32_t parent = number == ROOT_INODE ? ROOT_INODE : facts->parent;
    if (facts->names > (number != ROOT_INODE))
        report(c, number, "directory has %u names too many", facts->names - (number != ROOT_INODE));
    if (parent != 0 && facts->up != 0 && facts->up != parent)
        report_two(c, number, parent, "'..' names inode %u, but the parent is ", facts->up);
    enum reach reach = reach_find(c, number);
    if (reach != REACH_ROOT)
        report(c, number, "directory cannot be reached from the root%s",
               reach == REACH_LOOP ? ": its parents form a loop" : "");
}

static void links_check(struct check *c, uint32_t number) {
    const struct disk_inode *disk = image_inode(c->image, number);
    if (disk->nlink != c->facts[number].links)
        report(c, number, "nlink is %u, but %u directory entries name it", disk->nlink,
               c->facts[number].links);
    else if (disk->nlink == 0)
        warn(c, number, "orphan: was open when the machine stopped");
    if (disk->type == T_DIR && disk->nlink > 0)
        parent_check(c, number);
}

// ---- Bitmap ----

enum bitmap_fault { BITMAP_RIGHT, BITMAP_METADATA_FREE, BITMAP_USED_FREE, BITMAP_UNUSED_MARKED };

static enum bitmap_fault bitmap_fault_at(const struct check *c, uint64_t block) {
    bool marked = image_is_marked(c->image, block);
    if (block < c->super->data_start)
        return marked ? BITMAP_RIGHT : BITMAP_METADATA_FREE;
    if (marked == (c->owners[block] != 0))
        return BITMAP_RIGHT;
    return marked ? BITMAP_UNUSED_MARKED : BITMAP_USED_FREE;
}

static void bitmap_check(struct check *c) {
    static const char *const messages[] = {
        [BITMAP_METADATA_FREE] = "of metadata, but marked free",
        [BITMAP_USED_FREE] = "in use, but marked free",
        [BITMAP_UNUSED_MARKED] = "marked used, but nothing uses it",
    };
    for (uint64_t i = 0, next; i < c->super->blocks; i = next) {
        enum bitmap_fault fault = bitmap_fault_at(c, i);
        for (next = i + 1; next < c->super->blocks; next++)
            if (bitmap_fault_at(c, next) != fault ||
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

void check_contents(struct check *c) {
    c->owners = memory_get(c->super->blocks * sizeof *c->owners);
    c->facts = memory_get((INODES_MAX + 1) * sizeof *c->facts); // for any number an entry may have
    c->facts[0].reach = REACH_NOTHING;
    c->facts[ROOT_INODE].reach = REACH_ROOT;
    if (image_inode(c->image, 0)->type != 0)
        report(c, 0, "inode 0 is not free");
    if (image_inode(c->image, ROOT_INODE)->type == 0)
        report(c, ROOT_INODE, "the root is free");
    for (uint32_t i = ROOT_INODE; i < c->super->inode_count; i++)
        if (check_is_inode(c, i))
            inode_check(c, i);
    for (uint32_t i = ROOT_INODE; i < c->super->inode_count; i++)
        if (check_is_inode(c, i))
            links_check(c, i);
    bitmap_check(c);
}

void check_destroy(struct check *c) {
    memory_unmap(c->findings, FINDINGS_KEPT * sizeof *c->findings);
    if (c->facts != NULL) {
        memory_unmap(c->owners, c->super->blocks * sizeof *c->owners);
        memory_unmap(c->facts, (INODES_MAX + 1) * sizeof *c->facts);
    }
    free(c->entries);
}
