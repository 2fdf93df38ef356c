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
// number in the record.
static struct log_header *make_record(uint32_t blocks, uint32_t log_blocks, uint64_t number,
                                      uint32_t count) {
    disk_format(blocks, 60, log_blocks);
    struct log_header *first = (struct log_header *)block_at(disk_bytes, 1), *h = first;
    for (uint32_t i = 0; i < count || h == first;) {
        log_header_begin(h, number);
        while (h->sector[0].count < LOG_SEGMENT_MAX && i < count) {
            void *block = h + 1 + h->sector[0].count;
            memset(block, (int)(1 + i % 255), BLOCK_SIZE);
            log_header_add(h, blocks - count + i++, block);
            number_block(block, number);
        }
        h->sector[0].more = i < count;
        seal(h);
        h += 1 + h->sector[0].count;
    }
    return first;
}

static bool is_logged_block(const uint8_t *block, uint32_t i) {
    uint8_t wanted[BLOCK_SIZE];
    memset(wanted, (int)(1 + i % 255), BLOCK_SIZE);
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
    static const uint32_t counts[] = {0, 1, 5, 6, 7, 47, 48, 49, 96, 97, 500, 800};
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        uint32_t size = log_record_size(counts[i]);
        CHECK_EQUAL(counts[i], log_record_capacity(size));
        IN_PROCESS(replay_record(size < LOG ? LOG : size, counts[i]));
        IN_PROCESS(replay_record(900, counts[i]));
    }
}

// Gives a sector of a record another number, or none. All checksums are right.
static void replay_torn(uint32_t block, unsigned sector, uint64_t number) {
    struct log_header *h = make_record(2000, 900, 41, 100);
    h[block].sector[sector].number = number;
    seal(h);
    seal(h + 49);
    seal(h + 98);
    check_replay(2000, 100, 0);
}

// The record has three segments, with headers in blocks 0, 49 and 98.
TEST(torn_records_do_not_count) {
    static const uint32_t blocks[] = {0, 1, 33, 48, 49, 50, 97, 98, 102};
    for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
        for (unsigned sector = 0; sector < LOG_SECTORS; sector++) {
            IN_PROCESS(replay_torn(blocks[i], sector, 40));
            IN_PROCESS(replay_torn(blocks[i], sector, 0));
        }
}

static void replay_changed(size_t offset) {
    make_record(2000, 900, 41, 100);
    block_at(disk_bytes, 1)[offset] ^= 0x80;
    check_replay(2000, 100, 0);
}

TEST(corrupted_headers_do_not_count) {
    size_t offsets[] = {
        offsetof(struct log_sector, number) + 7,
        offsetof(struct log_sector, checksum),
        offsetof(struct log_sector, count),
        offsetof(struct log_sector, more),
        offsetof(struct log_sector, entry[2].home),
        offsetof(struct log_sector, entry[3].word[7]) + 7,
        LOG_SECTOR + offsetof(struct log_sector, entry[0].home),
        7 * LOG_SECTOR + offsetof(struct log_sector, entry[5].word[7]) + 7,
    };
    for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
        IN_PROCESS(replay_changed(offsets[i]));
        IN_PROCESS(replay_changed(49 * BLOCK_SIZE + offsets[i]));
    }
}

static void replay_home(uint32_t home) {
    struct log_header *h = make_record(2000, 900, 41, 3);
    h->sector[0].entry[1].home = home;
    seal(h);
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
    seal(h + 4);
    CHECK_EQUAL(0, mount_disk(RAM));
    CHECK(log_header_fits(h, (struct superblock *)disk_bytes, 0, 0));
    CHECK_EQUAL(0, h->sector[0].count);
    CHECK(h->sector[0].number > 43); // 43 may have been half written when the power went
}

TEST(numbers_grow_across_a_replay) {
    IN_PROCESS(replay_and_look_at_numbers());
}

static void commit_for_the_first_time(void) {
    struct file *f;
    disk_format(BLOCKS, 60, LOG);
    CHECK_EQUAL(0, mount_disk(RAM));
    CHECK_EQUAL(0, file_open(root, "f", O_CREATE, &f));
    const struct log_header *first = (const struct log_header *)block_at(disk_bytes, 1);
    CHECK_EQUAL(0, first->sector[0].count);
    CHECK(log_has_number(first, 1) && log_has_number(first + 1, 2));
}

// If the first record had contents, and they reached the disk without their header, the next
// start would use its number again, with those contents.
TEST(first_record_of_an_area_is_empty) {
    IN_PROCESS(commit_for_the_first_time());
}

TEST(other_format_versions_are_refused) {
    struct image image = {.blocks = BLOCKS};
    struct check check;
    disk_format(BLOCKS, 60, LOG);
    ((struct superblock *)disk_bytes)->magic = 0x37776f63; // that of the last version
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
        log_header_begin(h, 3); // after an empty record and that of a file
        seal(h);
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
    CHECK_EQUAL(2, replay_with_fsck(BLOCKS, 0, &unused)); // an empty one, and the file's
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

// ---- Records of several segments ----

enum { GROUP_FILES = 4, GROUP_FILE_BYTES = 13 * BLOCK_SIZE, GROUP_LOG = 200 };

static const char *const group_names[GROUP_FILES] = {"a", "b", "c", "d"};

static void write_group(void) {
    static char data[GROUP_FILE_BYTES];
    disk_format(BLOCKS, 60, GROUP_LOG);
    CHECK_EQUAL(0, mount_disk(RAM));
    disk_journal_start();
    CHECK_EQUAL(0, log_begin());
    for (uint32_t i = 0; i < GROUP_FILES; i++) {
        fill(data, sizeof data, i);
        struct file *f = open_file(group_names[i], O_CREATE | O_RDWR);
        CHECK_EQUAL(sizeof data, write_bytes(f, data, sizeof data));
        file_put(f);
    }
    CHECK_EQUAL(0, log_end());
    disk_journal_stop();
}

static void check_group(const uint8_t *image, bool is_durable) {
    disk_use(image, BLOCKS);
    CHECK_EQUAL(0, mount_disk(RAM));
    bool is_there = open_and_close(group_names[0], O_RDONLY) == 0;
    CHECK(is_there || !is_durable);
    for (uint32_t i = 0; i < GROUP_FILES; i++) {
        if (is_there)
            check_file(group_names[i], GROUP_FILE_BYTES, i);
        else
            CHECK_EQUAL(-ENOENT, open_and_close(group_names[i], O_RDONLY));
    }
    check_disk();
}

TEST(large_groups_are_whole_after_a_power_cut) {
    uint8_t *image = shared_memory(BLOCKS * BLOCK_SIZE), lost[LOG_SEGMENT_MAX * 2] = {0};
    disk_journal_init(BLOCKS);
    IN_PROCESS(write_group());
    size_t count = disk_journal_count();
    CHECK(count > LOG_SEGMENT_MAX + 2);
    for (size_t cut = 0; cut <= count; cut++) {
        disk_image_without(cut, lost, image, BLOCKS);
        IN_PROCESS(check_group(image, cut == count));
        disk_image_after(cut, image, BLOCKS);
        IN_PROCESS(check_group(image, false));
    }
}
