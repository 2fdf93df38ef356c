// What the tests of mmap share: places, protections, and mappings that must work.
#pragma once

#include "cow6.h"
#include "support.h"
#include "test.h"

enum { RW = PROT_READ | PROT_WRITE, REGIONS = 32, TABLE_BYTES = 512 * PAGE_BYTES };

#define USER_TOP 0x4000000000ul
#define FREE_PLACE ((char *)0x1000000000) // nothing is near it
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)
#define SHARED (MAP_SHARED | MAP_ANONYMOUS)

// Both kinds of sharing, for loops over them.
static const int sharings[] = {MAP_PRIVATE, MAP_SHARED};

// mmap at exactly that address, which must work: of anonymous memory, and filled with a byte.
char *map_fixed(char *at, size_t page_count, int protection, int flags);
char *map_filled(char *at, size_t page_count, int byte);

// Whether a mapping with that protection allows an access of that kind.
bool protection_allows(int protection, enum touch how);

// Gives the caller all pages of its own, and returns what memory is in use then.
struct memstat start_counting(void);

// Ends the test unless as much memory is free and reserved as there was.
void check_all_back(const struct memstat *before);

// Maps pieces of three pages with holes between them until there are no more regions; returns how
// many. Byte i + 1 fills the one at region_start(i).
int map_all_regions(void);
void check_regions(int count);

// Opens a new file of that size with the pattern, and maps such a file.
int pattern_open(const char *name, size_t size, int flags);
char *map_new_pattern(const char *name, size_t size, int protection, int flags);

// A byte of the file as read has it.
uint8_t file_byte(const char *name, size_t place);
