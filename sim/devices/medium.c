// What a disk holds without power.
#include "devices/medium.h"

#include <string.h>

enum { SECTORS = PAGE_BYTES / SECTOR_BYTES, PERCENT = 100 };

// Makes `to`, which may be zero, a copy.
static bool copy(struct paged *to, const struct paged *from) {
    struct paged made;
    if (!paged_copy(&made, from))
        return false;
    paged_destroy(to);
    *to = made;
    return true;
}

bool medium_init(struct medium *m, const struct paged *disk) {
    *m = (struct medium){0};
    return copy(&m->pages, disk) && copy(&m->flushing, disk);
}

void medium_destroy(struct medium *m) {
    paged_destroy(&m->pages);
    paged_destroy(&m->flushing);
}

bool medium_flush_begins(struct medium *m, const struct paged *disk) {
    return copy(&m->flushing, disk);
}

bool medium_flush_ends(struct medium *m) {
    return copy(&m->pages, &m->flushing);
}

bool medium_settle(struct medium *m, const struct paged *disk) {
    return copy(&m->pages, disk);
}

// Returns a number that is as good as random, and depends on both.
static uint64_t mix(uint64_t chance, uint64_t sector) {
    uint64_t x = chance + sector * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

bool medium_chooses(uint64_t chance, uint64_t sector) {
    return mix(chance, sector) % 2 == 0;
}

// Returns the sector's bytes.
static const uint8_t *sector_of(const struct paged *p, uint64_t sector) {
    return paged_read(p, sector / SECTORS) + sector % SECTORS * SECTOR_BYTES;
}

// Gives the sector to the medium, if it has not reached it yet.
static bool write_sector(struct paged *medium, const struct paged *disk, uint64_t sector) {
    const uint8_t *bytes = sector_of(disk, sector);
    return memcmp(bytes, sector_of(medium, sector), SECTOR_BYTES) == 0 ||
           paged_fill(medium, sector * SECTOR_BYTES, bytes, SECTOR_BYTES);
}

bool medium_evict(struct medium *m, const struct paged *disk, uint64_t start, uint64_t bytes,
                  uint64_t chance) {
    uint64_t sector = (start + SECTOR_BYTES - 1) / SECTOR_BYTES;
    for (; sector * SECTOR_BYTES < start + bytes; sector++) {
        if (medium_chooses(chance, sector) && !write_sector(&m->pages, disk, sector))
            return false;
    }
    return true;
}

// Sometimes nothing has reached the medium, sometimes all, mostly some.
bool medium_without_power(const struct medium *m, const struct paged *disk, uint64_t chance,
                          struct paged *left) {
    static const uint8_t kept[] = {0, 10, 50, 50, 90, 100};
    unsigned percent = kept[mix(chance, UINT64_MAX) % sizeof kept];
    if (!paged_copy(left, &m->pages))
        return false;
    for (uint64_t page = 0; page < disk->page_count; page++) {
        if (paged_read(disk, page) == paged_read(&m->pages, page))
            continue; // they share it
        for (uint64_t sector = page * SECTORS; sector < (page + 1) * SECTORS; sector++) {
            if (mix(chance, sector) % PERCENT < percent && !write_sector(left, disk, sector))
                return false;
        }
    }
    return true;
}
