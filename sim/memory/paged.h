// Bytes in pages, for a machine's memory and for its disk. Two of them may share pages: a copy
// costs little, and a page is copied when one of the two is written, as fork does it. Pages that
// were never written are zero and take no room.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PAGE_BYTES = 4096, GROUP_PAGES = 512 };

struct page {
    uint32_t owners; // groups that name it, and callers of paged_get
    uint8_t bytes[PAGE_BYTES];
};

// A part of the tree. Shared as a whole, like the pages in it.
struct page_group {
    uint32_t owners;
    struct page *pages[GROUP_PAGES]; // NULL: zero
};

struct paged {
    uint64_t page_count;
    size_t group_count;
    struct page_group **groups; // NULL: zero
};

// Makes p that many bytes, a multiple of PAGE_BYTES, all zero. Returns false without memory.
bool paged_init(struct paged *p, uint64_t bytes);

// Makes p a copy of `source`, with the same pages. Returns false without memory.
bool paged_copy(struct paged *p, const struct paged *source);

// Accepts one that was never made, if it is zero.
void paged_destroy(struct paged *p);

uint64_t paged_bytes(const struct paged *p);

// Returns the page's bytes. They stay where they are until the page is written or p is destroyed.
const uint8_t *paged_read(const struct paged *p, uint64_t page);

// True if the page may be other than zero.
bool paged_is_written(const struct paged *p, uint64_t page);

// Returns the page's bytes for writing: from now on they are p's alone. They stay p's alone until p
// is copied. Returns NULL without memory.
uint8_t *paged_write(struct paged *p, uint64_t page);

// Returns the first page from `page` on that the two, of the same size, do not share; how many
// pages they have if there is none.
uint64_t paged_next_difference(const struct paged *a, const struct paged *b, uint64_t page);

// Returns the page with one owner more, the caller, who gives it back with page_put; NULL if it is
// zero. While it has several owners, nobody writes to it.
struct page *paged_get(const struct paged *p, uint64_t page);

// Adds an owner, or takes one away. NULL is allowed.
struct page *page_get(struct page *page);
void page_put(struct page *page);

// Copies between a range of p, which may cross pages, and memory of the caller. The range must be
// inside. paged_fill returns false without memory; then a part may have been written.
void paged_fetch(const struct paged *p, uint64_t start, void *bytes, size_t count);
bool paged_fill(struct paged *p, uint64_t start, const void *bytes, size_t count);
