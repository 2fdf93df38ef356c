// A machine's page tables, and what was told about each.
//
// A page is a table at a time if a walk that begins at the satp of a hart then can read it: that is
// what is in memory, without what TLBs still hold. Of each page that is or was a table, a copy is
// kept, with the entries that were told last. So whoever begins with zeros and applies what is told
// knows all tables, at any time. Tables of a process that does not run are not watched; when a hart
// switches to them, the entries that are other ones now are told as found.
#pragma once
#include "cpu/walk.h"

struct table {
    uint64_t told[TABLE_ENTRIES];
    uint64_t levels; // at which walks read it now, a bit for each; 0: none does
    bool is_watched; // writes to the page are seen
    // One of the ways on which walks come here:
    uint64_t level, va; // bits 38 to 0 of the virtual address that the first entry translates
    uint64_t root;      // physical address of the first table
    struct table *next; // of those that walks read
};

// An entry that is another one now.
struct table_change {
    const struct table *table;
    uint64_t address, before, after;
    bool is_found; // it was not written now: walks can read it now
};

struct tables {
    struct system *system;
    void (*changed)(void *owner, const struct table_change *change);
    void *owner;
    struct table **pages; // of memory; NULL: it never was a table
    uint64_t page_count;
    struct table *reached;
};

// Makes the list. The fields up to `owner` are set. Returns false without memory.
bool tables_init(struct tables *t);
void tables_destroy(struct tables *t);

// Finds out which pages are tables now, and tells what is found in them. Without memory, the
// machine stops.
void tables_find(struct tables *t);

// Nothing is watched any more until tables are found again; what was told stays known.
void tables_leave(struct tables *t);

// Returns true if writes to that page of memory must be seen.
bool tables_watch(struct tables *t, uint64_t pa);

// Tells which entries in that range of memory, which was just written, are other ones now.
void tables_written(struct tables *t, uint64_t pa, uint64_t bytes);
