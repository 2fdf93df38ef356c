// What a disk holds without power. A write reaches the disk's cache, which everybody reads from,
// and the medium at any time after that, sector by sector; a flush waits until it has. (Virtual I/O
// Device 1.1, section 5.2.6, says what a driver may rely on.)
#pragma once
#include "memory/paged.h"

enum { SECTOR_BYTES = 512 };

struct medium {
    struct paged pages;
    struct paged flushing; // the disk as it was when the last flush began
};

// True for half of all sectors.
bool medium_chooses(uint64_t chance, uint64_t sector);

// In all of these, `disk` is what is read from the disk. They return false without memory.

// Begins with what is on the disk.
bool medium_init(struct medium *m, const struct paged *disk);
void medium_destroy(struct medium *m);

// A flush covers the writes that have ended when it begins; when it ends, they are on the medium.
bool medium_flush_begins(struct medium *m, const struct paged *disk);
bool medium_flush_ends(struct medium *m);

// All writes are on the medium.
bool medium_settle(struct medium *m, const struct paged *disk);

// The sectors that begin in that range will be written. By chance, what they hold now reaches the
// medium before.
bool medium_evict(struct medium *m, const struct paged *disk, uint64_t start, uint64_t bytes,
                  uint64_t chance);

// Makes `left` what is found when the power was lost: of each sector what is on the medium, or what
// is on the disk, by chance.
bool medium_without_power(const struct medium *m, const struct paged *disk, uint64_t chance,
                          struct paged *left);
