// The block cache: the only way to the disk's blocks, except for the log area. One slot is one
// frame, which processes may map, so a file's page and its block are the same memory.
#pragma once
#include "abi/diskformat.h"
#include "lib/list.h"

struct frame;

// What the log knows about a block: nothing; that it was changed since the last commit; that it is
// in the log but not yet at home. In the last two cases the log holds a reference.
enum block_logged { BLOCK_HOME, BLOCK_CHANGED, BLOCK_DIRTY };

// The contents are guarded by whatever guards the data stored there: an inode's mutex, or the
// allocation mutex. Changing them requires an open transaction and log_write. Locks: [I] never
// changes while referenced, [c] cache lock, [l] log lock.
struct block {
    uint32_t number;     // [I]
    uint32_t references; // [c]
    char *data;          // [I]
    struct block *next;  // [c] in the hash chain
    struct list link; // [c] without references: among unused slots; [l] else: in a list of the log
    bool valid;       // [c] data holds the contents
    bool reading;     // [c] data is being read
    uint8_t logged;   // [l] enum block_logged
};

// Returns the block to which this link belongs.
static inline struct block *block_of(struct list *link) {
    return CONTAINER_OF(link, struct block, link);
}

// A task holds at most one block at a time, as if it were a lock of rank BLOCK: a task that waits
// for a slot holds none. The slots that are taken for longer are limited, in eighths of the cache,
// so that the others always become free again.
enum {
    CACHE_MAPPED = 3,   // mapped by processes; beyond that, programs get copies
    CACHE_RESERVED = 2, // reserved for mappings that need the cache's own frames
    CACHE_LOGGED = 2,   // kept by the log until they are home
    CACHE_ALL = 8,
};

// Boot: sets the memory aside.
void cache_init(uint64_t ram_bytes);

// Returns the number of slots.
size_t cache_size(void);

// ---- One block ----

// Stores in *found the block with a reference, read from the disk if it was not in the cache. May
// sleep. Errors: -EIO.
int cache_get(uint32_t number, struct block **found);

// Returns the block with a reference and undefined contents, which the caller is about to
// overwrite. May sleep.
struct block *cache_get_blank(uint32_t number);

// Returns the block with a reference if it is in the cache, else NULL.
struct block *cache_find(uint32_t number);

// Drops the caller's reference.
void cache_put(struct block *b);

// Drops the log's reference.
void cache_put_logged(struct block *b);

// Drops the caller's reference to a block whose contents no longer count, because it was freed or
// its log record has been replayed, and removes the block from the cache. Processes that map it
// keep the old contents, which no longer change.
void cache_discard(struct block *b);

// ---- Mapping ----

// Stores in *frame the block's frame with a reference, for a process to map. Errors: -ENOMEM if
// processes already map all of their share of the cache.
int cache_map(struct block *b, struct frame **frame);

// As cache_map, for a page that was reserved: it cannot fail. Returns the frame.
struct frame *cache_map_reserved(struct block *b);

// Reserves pages for mappings that need the cache's own frames, or cancels reservations if `pages`
// is negative. Errors: -ENOMEM (their share is used up).
int cache_reserve(int64_t pages);
