// The disk in memory. Requests are carried out when they are waited for, in any order.
#include "disk_mock.h"

#include <string.h>
#include <sys/mman.h>

#include "../../mkfs/check.h"
#include "dev/console.h"
#include "dev/disk.h"
#include "sched/schedule.h"
#include "test.h"

const char program_name[] = "test";

uint8_t *disk_bytes;
size_t disk_write_count, disk_flush_count, disk_request_count;
size_t disk_fail_after = SIZE_MAX;
uint32_t disk_bad_block;
static uint32_t blocks_count;

// Shared with the processes forked later, so that one can write, and another can try what a power
// cut leaves.
enum { WRITES_MAX = 40000 };
static struct journal {
    size_t count;
    bool is_on;
    struct disk_write writes[WRITES_MAX];
} * journal;
static uint8_t *base;

uint32_t disk_blocks(void) {
    return blocks_count;
}

void disk_submit(struct disk_request *r) {
    CHECK(may_sleep());
    CHECK(r->count <= DISK_PAGES_MAX && (r->operation == DISK_FLUSH) == (r->count == 0));
    r->done = false;
    if (host_yields && host_random(3) == 0)
        task_yield();
}

// Writes a block, whose sectors begin with the number unless that is 0.
static void write_block(uint32_t block, const void *page, uint64_t number) {
    uint8_t *data = disk_bytes + (size_t)block * BLOCK_SIZE;
    memcpy(data, page, BLOCK_SIZE);
    for (unsigned i = 0; number != 0 && i < BLOCK_SIZE; i += DISK_SECTOR)
        memcpy(data + i, &number, sizeof number);
    disk_write_count++;
    if (journal == NULL || !journal->is_on)
        return;
    CHECK(journal->count < WRITES_MAX);
    struct disk_write *w = &journal->writes[journal->count++];
    w->block = block;
    w->flushes = disk_flush_count;
    memcpy(w->data, data, BLOCK_SIZE);
}

int disk_wait(struct disk_request *r) {
    if (host_yields && host_random(2) == 0)
        task_yield();
    CHECK(!r->done);
    r->done = true;
    disk_request_count++;
    r->error = disk_fail_after == 0 || (uint64_t)r->block + r->count > blocks_count ? -5 : 0;
    if (r->operation == DISK_READ && disk_bad_block >= r->block &&
        disk_bad_block - r->block < r->count)
        r->error = disk_bad_block ? -5 : r->error;
    if (disk_fail_after != SIZE_MAX && disk_fail_after > 0)
        disk_fail_after--;
    if (r->error) {
        for (unsigned i = 0; r->operation == DISK_READ && i < r->count; i++)
            memset(r->pages[i], 0xee, BLOCK_SIZE);
        return r->error;
    }
    for (unsigned i = 0; i < r->count; i++) {
        if (r->operation == DISK_READ)
            memcpy(r->pages[i], disk_bytes + (size_t)(r->block + i) * BLOCK_SIZE, BLOCK_SIZE);
        else
            write_block(r->block + i, r->pages[i], r->number);
    }
    if (r->operation == DISK_FLUSH || r->flushes)
        disk_flush_count++;
    return 0;
}

void disk_format(uint32_t blocks, uint32_t inode_count, uint32_t log_blocks) {
    blocks_count = blocks;
    disk_bytes = calloc(blocks, BLOCK_SIZE);
    struct superblock *s = (struct superblock *)disk_bytes;
    *s = (struct superblock){
        .magic = DISK_MAGIC, .blocks = blocks, .log_start = 1, .log_blocks = log_blocks};
    s->inode_start = 1 + log_blocks;
    s->inode_count = inode_count;
    s->inode_blocks = (inode_count + INODES_PER_BLOCK - 1) / INODES_PER_BLOCK;
    s->bitmap_start = s->inode_start + s->inode_blocks;
    s->bitmap_blocks = (blocks + BITS_PER_BLOCK - 1) / BITS_PER_BLOCK;
    s->data_start = s->bitmap_start + s->bitmap_blocks;
    uint8_t *bitmap = disk_bytes + (size_t)s->bitmap_start * BLOCK_SIZE;
    for (uint32_t i = 0; i <= s->data_start; i++)
        bitmap[i / 8] |= (uint8_t)(1 << i % 8);
    struct disk_inode *root =
        (struct disk_inode *)(disk_bytes + (size_t)s->inode_start * BLOCK_SIZE) + ROOT_INODE;
    *root = (struct disk_inode){.type = T_DIR, .nlink = 1, .size = 32, .direct = {s->data_start}};
    struct dirent *entry = (struct dirent *)(disk_bytes + (size_t)s->data_start * BLOCK_SIZE);
    entry[0] = (struct dirent){ROOT_INODE, "."};
    entry[1] = (struct dirent){ROOT_INODE, ".."};
}

void disk_use(const uint8_t *bytes, uint32_t blocks) {
    blocks_count = blocks;
    disk_bytes = malloc((size_t)blocks * BLOCK_SIZE);
    memcpy(disk_bytes, bytes, (size_t)blocks * BLOCK_SIZE);
}

static void *map_shared(size_t bytes) {
    return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                0);
}

void disk_journal_init(uint32_t blocks) {
    journal = map_shared(sizeof *journal);
    base = map_shared((size_t)blocks * BLOCK_SIZE);
}

void disk_journal_start(void) {
    journal->count = 0;
    memcpy(base, disk_bytes, (size_t)blocks_count * BLOCK_SIZE);
    journal->is_on = true;
}

void disk_journal_stop(void) {
    journal->is_on = false;
}

size_t disk_journal_count(void) {
    return journal->count;
}

bool disk_journal_is_early(size_t cut) {
    size_t first = cut;
    while (first > 1 && journal->writes[first - 2].flushes == journal->writes[cut - 1].flushes)
        first--;
    return journal->writes[first - 1].block <= 3; // the log area's first blocks
}

const struct disk_write *disk_journal_write(size_t number) {
    return &journal->writes[number];
}

// Carries out a write but for the sectors that are lost, a bit for each.
static void write_sectors(uint8_t *image, const struct disk_write *w, unsigned lost) {
    uint8_t *block = image + (size_t)w->block * BLOCK_SIZE;
    for (unsigned i = 0; i < BLOCK_SIZE / DISK_SECTOR; i++)
        if ((lost >> i & 1) == 0)
            memcpy(block + i * DISK_SECTOR, w->data + i * DISK_SECTOR, DISK_SECTOR);
}

void disk_image_after(size_t cut, uint8_t *image, uint32_t blocks) {
    memcpy(image, base, (size_t)blocks * BLOCK_SIZE);
    size_t flushes = cut > 0 ? journal->writes[cut - 1].flushes : 0;
    uint32_t lost_of_4 = host_random(4); // 0: none
    for (size_t i = 0; i < cut; i++) {
        bool is_safe = journal->writes[i].flushes < flushes || host_random(4) >= lost_of_4;
        write_sectors(image, &journal->writes[i],
                      is_safe               ? 0
                      : host_random(2) == 0 ? 0xff
                                            : host_random(256));
    }
}

void disk_image_without(size_t cut, const uint8_t *lost, uint8_t *image, uint32_t blocks) {
    memcpy(image, base, (size_t)blocks * BLOCK_SIZE);
    for (size_t i = 0; i < cut; i++)
        write_sectors(image, &journal->writes[i], lost[i]);
}

bool disk_is_consistent(const uint8_t *bytes) {
    struct check check = {0};
    struct image image;
    image_create(&image, blocks_count);
    memcpy(image.bytes, bytes, (size_t)blocks_count * BLOCK_SIZE);
    bool good = check_superblock(&check, &image);
    if (good) {
        check_log(&check, true);
        check_contents(&check);
    }
    good = check.violations == 0 && check.warnings == 0;
    if (!good)
        findings_print(&check, stderr, true);
    check_destroy(&check);
    image_close(&image);
    return good;
}
