// Records of the log: which count at the next start, and how they are replayed, by the kernel and
// by fsck.
#include "test_log.h"

#include "mkfs/check.h"

// ---- The checksum ----

static uint64_t checksum_of(const void *data, size_t bytes) {
    struct checksum sum;
    checksum_begin(&sum);
    checksum_add(&sum, data, bytes);
    return checksum_end(&sum);
}

// The sums are what xxhsum -H1 of xxHash 0.8.1 prints for the same bytes.
TEST(checksum_is_xxh64) {
    static _Alignas(8) uint8_t data[8192];
    CHECK(checksum_of(data, 4096) == 0xac869b6f32d8bbdbu);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7 + i / 256);
    CHECK(checksum_of(data, 32) == 0x91b0cb0931a8c629u);
    CHECK(checksum_of(data, 64) == 0xbf3052e3445775d0u);
    CHECK(checksum_of(data, 4096) == 0x2f2095dbb4b78856u);
    CHECK(checksum_of(data, 8192) == 0x5cf6bb90f7fd25d9u);
}

TEST(checksum_of_parts_equals_that_of_the_whole) {
    static _Alignas(8) uint8_t data[8192];
    struct checksum sum;
    checksum_begin(&sum);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)host_random(256);
    for (size_t at = 0, part = 32; at < sizeof data; at += part, part = 32 * (1 + host_random(4))) {
        if (part > sizeof data - at)
            part = sizeof data - at;
        checksum_add(&sum, data + at, part);
    }
    CHECK(checksum_end(&sum) == checksum_of(data, sizeof data));
}

// ---- Handmade records ----

// Formats a disk whose log has one record, of the last blocks of the disk. Each is filled with its
// number in the record, and some of its sectors are escaped.
static struct log_header *make_record(uint32_t blocks, uint32_t log_blocks, uint64_t sequence,
                                      uint32_t count) {
    disk_format(blocks, 60, log_blocks);
    struct log_header *h = (struct log_header *)block_at(disk_bytes, 1);
    log_header_begin(h, sequence);
    for (uint32_t i = 0; i < count; i++) {
        log_header_add(h, blocks - count + i, i % 256);
        memset(h + 1 + i, (int)(1 + i % 255), BLOCK_SIZE);
        log_set_magic(h + 1 + i, i % 256, 0);
    }
    seal(h, h + 1);
    return h;
}

static bool is_logged_block(const uint8_t *block, uint32_t i) {
    _Alignas(8) uint8_t wanted[BLOCK_SIZE];
    memset(wanted, (int)(1 + i % 255), BLOCK_SIZE);
    log_set_magic(wanted, i % 256, LOG_MAGIC);
    return memcmp(wanted, block, BLOCK_SIZE) == 0;
}

// Returns how many records fsck finds, and stores how many of the last `count` blocks have the
// contents that make_record logged.
static uint32_t replay_with_fsck(uint32_t blocks, uint32_t count, uint32_t *replayed) {
    struct image image;
    struct check check;
    CHECK_EQUAL(0, image_create(&image, blocks));
    memcpy(image.bytes, disk_bytes, (size_t)blocks * BLOCK_SIZE);
    CHECK(check_superblock(&check, &image));
    check_log(&check, true);
    *replayed = 0;
    for (uint32_t i = 0; i < count; i++)
        *replayed += is_logged_block(image_block(&image, blocks - count + i), i);
    uint32_t records = check.log_records;
    check_destroy(&check);
    image_close(&image);
    return records;
}

static uint32_t replay_with_kernel(uint32_t blocks, uint32_t count) {
    uint32_t replayed = 0;
    CHECK_EQUAL(0, mount_disk(RAM));
    for (uint32_t i = 0; i < count; i++)
        replayed += is_logged_block(block_at(disk_bytes, blocks - count + i), i);
    return replayed;
}

static void check_replay(uint32_t blocks, uint32_t count, uint32_t records) {
    uint32_t replayed;
    CHECK_EQUAL(records, replay_with_fsck(blocks, count, &replayed));
    CHECK_EQUAL(records * count, replayed);
    CHECK_EQUAL(records * count, replay_with_kernel(blocks, count));
}

static void replay_record(uint32_t log_blocks, uint32_t count) {
    make_record(2000, log_blocks, 41, count);
    check_replay(2000, count, 1);
}

TEST(records_of_any_length_are_replayed) {
    static const uint32_t counts[] = {1, 8, 96, 97, 98, 194, 500, LOG_RECORD_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        IN_PROCESS(replay_record(counts[i] + 1 < LOG ? LOG : counts[i] + 1, counts[i]));
        IN_PROCESS(replay_record(900, counts[i]));
    }
}

// Makes an eighth of the header that of another header, or of none. All checksums are right.
static void replay_torn(unsigned sector, uint32_t count, bool has_magic) {
    struct log_header *h = make_record(2000, 900, 41, count);
    if (has_magic)
        h->sector[sector].sequence--;
    else
        h->sector[sector].magic = 0;
    seal(h, h + 1);
    check_replay(2000, count, 0);
}

TEST(torn_headers_do_not_count) {
    for (unsigned sector = 0; sector < LOG_SECTORS; sector++) {
        IN_PROCESS(replay_torn(sector, 5, true));
        IN_PROCESS(replay_torn(sector, 5, false));
        IN_PROCESS(replay_torn(sector, 700, false));
    }
}

static void replay_changed(size_t offset) {
    make_record(2000, 900, 41, 100);
    block_at(disk_bytes, 1)[offset] ^= 0x80;
    check_replay(2000, 100, 0);
}

TEST(corrupted_records_do_not_count) {
    size_t offsets[] = {
        0,
        offsetof(struct log_sector, count),
        offsetof(struct log_sector, sequence) + 7,
        offsetof(struct log_sector, checksum),
        offsetof(struct log_sector, home) + 2 * 4,
        offsetof(struct log_sector, home) + 96 * 4,
        offsetof(struct log_sector, escaped) + 96,
        LOG_SECTOR + offsetof(struct log_sector, home) + 4,
        LOG_SECTOR + offsetof(struct log_sector, escaped) + 2,
        7 * LOG_SECTOR,
        BLOCK_SIZE,
        BLOCK_SIZE * 50 + 777,
        BLOCK_SIZE * 101 - 1,
    };
    for (size_t i = 0; i < ARRAY_SIZE(offsets); i++)
        IN_PROCESS(replay_changed(offsets[i]));
}

static void replay_home(uint32_t home) {
    struct log_header *h = make_record(2000, 900, 41, 3);
    h->sector[0].home[1] = home;
    seal(h, h + 1);
    CHECK_EQUAL(0, replay_with_kernel(2000, 3));
}

TEST(records_for_forbidden_blocks_do_not_count) {
    static const uint32_t homes[] = {0, 1, 900, 2000, UINT32_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(homes); i++)
        IN_PROCESS(replay_home(homes[i]));
}

static void replay_and_look_at_numbers(void) {
    struct log_header *h = make_record(BLOCKS, LOG, 41, 3);
    log_header_begin(h + 4, 42);
    seal(h + 4, h + 5);
    CHECK_EQUAL(0, mount_disk(RAM));
    CHECK(log_header_fits(h, (struct superblock *)disk_bytes, 0, 0));
    CHECK_EQUAL(0, h->sector[0].count);
    CHECK(h->sector[0].sequence > 43); // 43 may have been half written when the power went
}

TEST(sequence_numbers_grow_across_a_replay) {
    IN_PROCESS(replay_and_look_at_numbers());
}

TEST(other_format_versions_are_refused) {
    struct image image = {.blocks = BLOCKS};
    struct check check;
    disk_format(BLOCKS, 60, LOG);
    ((struct superblock *)disk_bytes)->magic = 0x36776f63; // that of the first version
    image.bytes = disk_bytes;
    CHECK(!check_superblock(&check, &image));
    CHECK_EQUAL(1, check.violations);
    CHECK_EQUAL(-EINVAL, mount_disk(RAM));
    CHECK_STRING("disk: the image was made by another version of cow6; build it again\n",
                 host_printed);
}

// Makes an area whose first block is damaged, with records after it that could seem to continue a
// new log.
static void damage_start(uint8_t *image) {
    disk_format(BLOCKS, 60, LOG);
    memset(block_at(disk_bytes, 1), 0x33, BLOCK_SIZE);
    for (uint32_t position = 1; position < 12; position++) {
        struct log_header *h = (struct log_header *)block_at(disk_bytes, 1 + position);
        log_header_begin(h, 2);
        seal(h, h + 1);
    }
    memcpy(image, disk_bytes, BLOCKS * BLOCK_SIZE);
}

static void clear_area(const uint8_t *image) {
    disk_use(image, BLOCKS);
    disk_journal_start();
    CHECK_EQUAL(0, mount_disk(RAM));
    disk_journal_stop();
}

static void make_file_and_count_records(const uint8_t *image) {
    uint32_t unused;
    struct file *f;
    disk_use(image, BLOCKS);
    CHECK_EQUAL(0, mount_disk(RAM));
    CHECK_EQUAL(0, file_open(root, "f", O_CREATE, &f));
    CHECK_EQUAL(1, replay_with_fsck(BLOCKS, 0, &unused));
}

enum { LOSSES = 30 }; // sets of lost writes that are tried when all have been made

TEST(power_cut_while_the_area_is_cleared) {
    uint8_t *image = shared_memory(BLOCKS * BLOCK_SIZE);
    disk_journal_init(BLOCKS);
    IN_PROCESS(damage_start(image));
    IN_PROCESS(clear_area(image));
    CHECK_EQUAL(LOG, disk_journal_count());
    for (size_t cut = 0; cut <= LOG; cut++)
        for (unsigned i = 0; i < (cut < LOG ? 1 : LOSSES); i++) {
            disk_image_after(cut, image, BLOCKS);
            IN_PROCESS(make_file_and_count_records(image));
        }
}
