// What a disk holds without power: the order of writes and flushes decides what may be there.
#include "test.h"

#include <string.h>

#include "devices/medium.h"
#include "memory/host.h"

enum { PAGES = 4, SECTORS = PAGES * PAGE_BYTES / SECTOR_BYTES, TRIES = 64 };

void *host_alloc(size_t bytes) {
    return calloc(1, bytes);
}

void host_free(void *memory) {
    free(memory);
}

static struct paged disk;
static struct medium medium;

static void start(void) {
    CHECK(paged_init(&disk, (uint64_t)PAGES * PAGE_BYTES));
    CHECK(medium_init(&medium, &disk));
}

static void end(void) {
    paged_destroy(&disk);
    medium_destroy(&medium);
}

// Fills a sector with that byte.
static void write_sector(unsigned sector, uint8_t byte, uint64_t chance) {
    uint8_t bytes[SECTOR_BYTES];
    memset(bytes, byte, sizeof bytes);
    uint64_t start_byte = (uint64_t)sector * SECTOR_BYTES;
    CHECK(medium_evict(&medium, &disk, start_byte, SECTOR_BYTES, chance));
    CHECK(paged_fill(&disk, start_byte, bytes, sizeof bytes));
}

// Returns the bits of what the sector holds after some losses of power: bit b for byte b. It is
// never torn.
static unsigned found(unsigned sector) {
    unsigned seen = 0;
    for (uint64_t chance = 0; chance < TRIES; chance++) {
        struct paged left;
        uint8_t bytes[SECTOR_BYTES];
        CHECK(medium_without_power(&medium, &disk, chance, &left));
        paged_fetch(&left, (uint64_t)sector * SECTOR_BYTES, bytes, sizeof bytes);
        for (unsigned i = 1; i < sizeof bytes; i++)
            CHECK_EQUAL(bytes[0], bytes[i]);
        seen |= 1u << bytes[0];
        paged_destroy(&left);
    }
    return seen;
}

static void flush(void) {
    CHECK(medium_flush_begins(&medium, &disk) && medium_flush_ends(&medium));
}

TEST(what_was_not_flushed_may_be_lost_or_kept) {
    start();
    for (unsigned sector = 0; sector < SECTORS; sector++)
        write_sector(sector, 1, 0);
    for (unsigned sector = 0; sector < SECTORS; sector++)
        CHECK_EQUAL(1u << 0 | 1u << 1, found(sector));
    end();
}

TEST(what_was_flushed_stays) {
    start();
    write_sector(3, 1, 0);
    flush();
    CHECK_EQUAL(1u << 1, found(3));
    CHECK_EQUAL(1u << 0, found(4));
    end();
}

TEST(write_during_a_flush_is_not_covered) {
    start();
    write_sector(3, 1, 0);
    CHECK(medium_flush_begins(&medium, &disk));
    write_sector(4, 1, 0);
    CHECK(medium_flush_ends(&medium));
    CHECK_EQUAL(1u << 1, found(3));
    CHECK_EQUAL(1u << 0 | 1u << 1, found(4));
    end();
}

TEST(disk_without_cache_loses_nothing) {
    start();
    write_sector(3, 1, 0);
    CHECK(medium_settle(&medium, &disk));
    CHECK_EQUAL(1u << 1, found(3));
    end();
}

// The first write may have reached the medium when the second one is lost.
TEST(older_write_may_be_found) {
    unsigned seen = 0;
    for (uint64_t chance = 0; chance < TRIES; chance++) {
        start();
        write_sector(3, 1, chance);
        write_sector(3, 2, chance);
        unsigned both = found(3);
        CHECK(both == (1u << 0 | 1u << 2) || both == (1u << 1 | 1u << 2));
        seen |= both;
        end();
    }
    CHECK_EQUAL(1u << 0 | 1u << 1 | 1u << 2, seen);
}
