// The block cache: the only way to the disk's blocks, except for the log area. One slot is one
// frame, which processes may map, so a file's page and its block are the same memory.
#pragma once
#include "abi/diskformat.h"
#include "lib/list.h"

struct frame;

// What the log knows of a block: nothing; changed since the last commit; in the log but not at
// home. In the last two cases the log holds a reference.
enum block_logged { BLOCK_HOME, BLOCK_CHANGED, BLOCK_DIRTY };

// Contents are guarded by whatever guards the thing stored there: an inode's mutex, the allocation
// mutex. Changing them takes an open transaction and log_write. Locks: [I] never changes while
// referenced, [c] cache lock, [l] log lock.
struct block {
    uint32_t number;     // [I]
    uint32_t references; // [c]
    char *data;          // [I]
    struct block *next;  // [c] in the hash chain
    struct list link; // [c] among unused slots, without references; [l] else: in a list of the log
    bool valid, reading; // [c] data holds the contents; is being read
    uint8_t logged;      // [l] enum block_logged
};

// A task holds at most one block at a time, as if it were a lock of rank BLOCK: who waits for a
// slot holds none. The slots that stay taken for longer are limited, in eighths of the cache, so
// that the others always come back.
enum {
    CACHE_MAPPED = 3,   // processes map them; programs get copies beyond that
    CACHE_RESERVED = 2, // processes may map them besides, for good
    CACHE_LOGGED = 2,   // the log keeps them until they are home
    CACHE_ALL = 8,
};

// The block whose link this is.
static inline struct block *block_of(struct list *link) {
    return CONTAINER_OF(link, struct block, link);
}

// Boot: sets the memory aside.
void cache_init(uint64_t ram_bytes);

// Number of slots.
size_t cache_size(void);

// ---- One block ----

// Stores in *found the block with a reference, read from the disk if it was not there. May sleep.
// Errors: -EIO.
int cache_get(uint32_t number, struct block **found);

// Returns the block with a reference and any contents; the caller is about to set them. May sleep.
struct block *cache_get_blank(uint32_t number);

// Returns the block with a reference if it is in the cache, else NULL.
struct block *cache_find(uint32_t number);

// Drops a reference, the caller's or the log's.
void cache_put(struct block *b);

// As cache_put, for a block that was freed: it leaves the cache. Processes that map it keep the old
// contents, which nobody changes any more.
void cache_discard(struct block *b);

// ---- Mapping ----

// Stores in *frame the block's frame with a reference that a process can map. Errors: -ENOMEM when
// processes map their share of the cache already and the page was not reserved.
int cache_map(struct block *b, bool reserved, struct frame **frame);

// Reserves pages for mappings that need the cache's own frames (-ENOMEM: their share is used up);
// takes reservations back if negative.
int cache_reserve(int64_t pages);
