// The entries of directories in memory, so that finding a name or a free entry takes as long in a
// directory of 10,000 files as in one of ten. What is kept is derived from the disk and may be
// forgotten at any time; then the directory is read again (fs/directory.c).
//
// The entries of all directories share a ring. The newest replace the oldest, so a directory is
// indexed until as many entries have been added as the ring has.
#pragma once
#include "abi/stat.h"
#include "abi/types.h"

// A name, padded with zeros, that is compared as two words.
union name {
    char bytes[16]; // the last two are always 0
    uint64_t words[2];
};

static_assert(NAME_BYTES == 14 && sizeof(struct dirent) == 16, "a name fits into two words");

static inline bool name_is_same(const union name *a, const union name *b) {
    return a->words[0] == b->words[0] && a->words[1] == b->words[1];
}

// True for "." and "..".
static inline bool name_is_dots(const union name *n) {
    return (n->words[0] == '.' || n->words[0] == ('.' | '.' << 8)) && n->words[1] == 0;
}

// Returns the name of an entry that is aligned as in a directory's block.
static inline union name dirent_name(const struct dirent *e) {
    typedef uint64_t __attribute__((may_alias)) word_t;
    const word_t *w = (const word_t *)e;
    return (union name){.words = {w[0] >> 16 | w[1] << 48, w[1] >> 16}}; // little-endian
}

// What is known of one directory; all zeros: nothing. Guarded by the lock of its inode.
struct nameindex {
    uint64_t id;          // of its entries in the ring, 0: the directory is not indexed
    uint64_t start;       // how many entries had been added when its first one was
    struct indexed *free; // those without a name
    uint32_t child_count; // entries other than "." and ".."
};

// Boot: sets the memory aside.
void nameindex_init(uint64_t ram_bytes);

// ---- Reading a directory ----

// Starts an index that has no entries yet. Returns false if `count` of them do not fit.
bool nameindex_begin(struct nameindex *ix, uint64_t count);

// Adds the entries that follow those added so far; the first is number `place` of the directory.
void nameindex_read(struct nameindex *ix, uint32_t place, const struct dirent *e, size_t count);

// Forgets the directory.
void nameindex_forget(struct nameindex *ix);

// ---- Use: all return false if the directory is not indexed, or not any more ----

// Stores the inode number of the entry of that name, and its place; the number is 0 if there is no
// such entry.
bool nameindex_find(const struct nameindex *ix, const union name *name, uint32_t *number,
                    uint32_t *place);

// Stores the place of a free entry, or `end` if there is none.
bool nameindex_find_free(const struct nameindex *ix, uint32_t end, uint32_t *place);

// Stores the number of entries other than "." and "..".
bool nameindex_count(const struct nameindex *ix, uint32_t *child_count);

// ---- Changes: they do nothing if the directory is not indexed ----

// Notes an entry that was written to the place that nameindex_find_free returned.
void nameindex_add(struct nameindex *ix, const union name *name, uint32_t number, uint32_t place);

// Notes that the entry of that name became free.
void nameindex_remove(struct nameindex *ix, const union name *name);
