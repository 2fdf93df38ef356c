// A region: a range of an address space, what may be done there, and what backs it. The page table
// holds what has been resolved of it so far.
#pragma once
#include "abi/mman.h"
#include "abi/types.h"

struct frame;
struct pagetable;
struct region;

enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_EXEC };

// Where the pages of a region come from.
struct backing {
    const char *name;
    bool shared; // fork shares the pages for good; otherwise each side has its own, copied on write
    bool tracks_writes; // a page may be written only after a write fault: so an entry that allows
                        // it tells of a change

    // Stores in *frame what belongs at va (page-aligned), with a reference for the caller. A frame
    // that nobody else names may be written even through a private region. May sleep. Errors:
    // -ENOMEM, -EIO, -EFAULT (the object ends before va).
    int (*get_page)(const struct region *r, vaddr_t va, struct frame **frame);

    // Add and drop a reference to the region's object; put may sleep. NULL: there is no object.
    void (*get)(void *object);
    void (*put)(void *object);

    // Obtains in advance what so many pages need (errors: -ENOMEM), or gives it back if negative.
    // NULL: nothing.
    int (*reserve)(int64_t pages);

    // Gives the changed pages from start to end, which are about to be unmapped, back to the
    // object. May sleep. NULL: nothing to do.
    void (*write_back)(const struct region *r, const struct pagetable *pt, vaddr_t start,
                       vaddr_t end);
};

struct region {
    vaddr_t start, end; // page-aligned
    uint8_t protection; // PROT_ bits
    bool promised;      // a frame is promised for each page that is not present
    const char *name;   // for messages: "text", "stack", ...
    const struct backing *backing;
    void *object;        // the backing's
    uint64_t offset;     // in the object, of address 0: address va is at va + offset
    vaddr_t content_end; // beyond it the pages are zero
};

extern const struct backing backing_zero; // zeroed frames
extern const struct backing backing_file; // an inode's contents
extern const struct backing
    backing_shared; // an address space that nobody runs in: its pages, for all
extern const struct backing backing_shared_file; // an inode's contents, for all

// The protection bit that an access needs.
static inline unsigned access_needs(enum access access) {
    return 1u << access;
}

static inline bool region_allows(const struct region *r, enum access access) {
    return (r->protection & access_needs(access)) != 0;
}

_Static_assert(1 << ACCESS_READ == PROT_READ && 1 << ACCESS_WRITE == PROT_WRITE &&
                   1 << ACCESS_EXEC == PROT_EXEC,
               "an access is the number of the bit it needs");
