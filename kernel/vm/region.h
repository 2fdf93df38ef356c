// A region: a range of an address space, what may be done there, and the backing that supplies its
// pages. Types only; each kind of backing is a file of its own, vm/backing_*.c.
#pragma once
#include "abi/memory.h"
#include "abi/mman.h"
#include "abi/types.h"

struct frame;
struct pagetable;
struct region;

enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_EXEC };

// Where the pages of a region come from. All functions but get_page may be NULL, which means that
// there is nothing to do.
struct backing {
    const char *name;
    enum fault_kind fill_kind; // what the first touch of a page counts as
    bool shared; // all processes that map the object share its pages; otherwise each has its own,
                 // copied on write
    bool tracks_writes; // pages start read-only, so a writable entry marks a dirty page
    bool maps_file;     // the object is an inode

    // Stores in *frame the page that belongs at va (page-aligned), with a reference for the caller.
    // If that is the frame's only reference, the page may be written even through a private region.
    // May sleep. Errors: -ENOMEM, -EIO, -EFAULT (the object ends before va).
    int (*get_page)(const struct region *r, vaddr_t va, struct frame **frame);

    // Add and drop a reference to the region's object; put may sleep.
    void (*get)(void *object);
    void (*put)(void *object);

    // Reserves what that many pages need, or gives it back if the number is negative. Errors:
    // -ENOMEM.
    int (*reserve)(int64_t pages);

    // Writes the dirty pages from start to end, which are about to be unmapped, back to the object.
    // May sleep.
    void (*write_back)(const struct region *r, const struct pagetable *pt, vaddr_t start,
                       vaddr_t end);
};

struct region {
    vaddr_t start, end; // page-aligned
    uint8_t protection; // PROT_ bits; PROT_WRITE only with PROT_READ
    bool promised;      // a frame is reserved for each page that is not present
    const char *name;   // for messages: "text", "stack", ...
    const struct backing *backing;
    void *object;        // what the backing maps, or NULL
    uint64_t offset;     // object offset minus address, modulo 2^64: va maps to object byte
                         // va + offset, and splitting the region need not change it
    vaddr_t content_end; // from here on the pages are zero
};

// Returns the protection bit that an access needs.
static inline unsigned access_needs(enum access access) {
    return 1u << access;
}

static_assert(1 << ACCESS_READ == PROT_READ && 1 << ACCESS_WRITE == PROT_WRITE &&
                  1 << ACCESS_EXEC == PROT_EXEC,
              "an access is the number of the protection bit that it needs");

static inline bool region_allows(const struct region *r, enum access access) {
    return (r->protection & access_needs(access)) != 0;
}

static inline bool region_covers(const struct region *r, vaddr_t va) {
    return r->start <= va && va < r->end;
}

// True if fork shares the region's pages copy-on-write: private pages that may be written.
static inline bool region_is_cow(const struct region *r) {
    return !r->backing->shared && (r->protection & PROT_WRITE);
}

// Two neighbours without objects can become one region if they differ only in their bounds.
static inline bool regions_can_merge(const struct region *low, const struct region *high) {
    return low->end == high->start && low->protection == high->protection &&
           low->promised == high->promised && low->backing == high->backing &&
           low->object == NULL && high->object == NULL && low->name == high->name;
}
