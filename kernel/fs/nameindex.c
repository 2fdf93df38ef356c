// The ring of entries. Those with a name are found by a hash of the name and of the directory's id.
// When an index is forgotten, its entries stay in the hash until the ring comes round to them; no
// later index has the same id, so they are never found.
#include "fs/nameindex.h"
#include "arch/address.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mem/frame.h"
#include "sync/spinlock.h"

enum { RAM_SHARE = 2048, RING_MAX = 65536, ENTRIES_PER_BUCKET = 8 };

struct indexed {
    union name name;
    uint64_t id;          // of the index
    uint32_t number;      // of the inode; 0: the entry is free
    uint32_t place;       // in the directory
    struct indexed *next; // in the hash chain, or in the index's list of free entries
};

static struct spinlock lock = SPINLOCK(RANK_NAMES);
static struct indexed *ring;           // [lock]
static struct indexed **buckets;       // [lock] heads of the hash chains
static uint64_t added;                 // [lock] entries that were ever added
static uint64_t last_id;               // [lock]
static size_t ring_size, bucket_count; // [I]

void nameindex_init(uint64_t ram_bytes) {
    ring_size = min(ram_bytes / RAM_SHARE, RING_MAX);
    bucket_count = ring_size / ENTRIES_PER_BUCKET;
    ring = frame_set_aside(ring_size * sizeof *ring);
    buckets = frame_set_aside(bucket_count * sizeof *buckets);
    memset(buckets, 0, bucket_count * sizeof *buckets);
}

// ---- The ring ----

// True if none of the directory's entries has been replaced.
static inline bool is_indexed(const struct nameindex *ix) {
    assert(spin_held(&lock));
    return ix->id != 0 && added - ix->start <= ring_size;
}

static struct indexed **bucket_of(uint64_t id, const union name *name) {
    uint64_t hash = (id ^ name->words[0]) * 0x9e3779b97f4a7c15u;
    hash = (hash ^ hash >> 32 ^ name->words[1]) * 0x9e3779b97f4a7c15u;
    return &buckets[(hash >> 32) * bucket_count >> 32];
}

// Returns the link that points to the entry of that name, or the one at the end of its hash chain.
static inline struct indexed **link_to(const struct nameindex *ix, const union name *name) {
    struct indexed **link = bucket_of(ix->id, name);
    while (*link != NULL && !((*link)->id == ix->id && name_is_same(&(*link)->name, name)))
        link = &(*link)->next;
    return link;
}

// Returns the next entry of the ring, which is no longer in the hash.
static struct indexed *replace_oldest(void) {
    struct indexed *oldest = &ring[added % ring_size];
    bool was_used = added++ >= ring_size;
    if (!was_used || oldest->number == 0)
        return oldest;
    struct indexed **link = bucket_of(oldest->id, &oldest->name);
    while (*link != oldest)
        link = &(*link)->next;
    *link = oldest->next;
    return oldest;
}

// Puts the entry into the list of free ones.
static void keep_free(struct nameindex *ix, struct indexed *e) {
    e->number = 0;
    e->next = ix->free;
    ix->free = e;
}

// Puts the entry into the hash, behind others of the same name that a damaged directory may have.
static void keep_used(struct nameindex *ix, struct indexed *e, const union name *name,
                      uint32_t number) {
    struct indexed **end = bucket_of(ix->id, name);
    while (*end != NULL)
        end = &(*end)->next;
    e->name = *name;
    e->number = number;
    e->next = NULL;
    *end = e;
    ix->child_count += !name_is_dots(name);
}

// Returns a new entry, which is neither in the hash nor in the list of free ones.
static struct indexed *new_entry(const struct nameindex *ix, uint32_t place) {
    struct indexed *e = replace_oldest();
    e->id = ix->id;
    e->place = place;
    return e;
}

// ---- Reading a directory ----

bool nameindex_begin(struct nameindex *ix, uint64_t count) {
    nameindex_forget(ix);
    if (count > ring_size)
        return false;
    spin_lock(&lock);
    *ix = (struct nameindex){.id = ++last_id, .start = added};
    spin_unlock(&lock);
    return true;
}

void nameindex_read(struct nameindex *ix, uint32_t place, const struct dirent *e, size_t count) {
    spin_lock(&lock);
    for (size_t i = 0; i < count; i++) {
        struct indexed *new = new_entry(ix, place + (uint32_t)i);
        union name name = dirent_name(&e[i]);
        uint32_t number = __atomic_load_n(&e[i].inum, __ATOMIC_RELAXED); // once: see directory.c
        if (number != 0)
            keep_used(ix, new, &name, number);
        else
            keep_free(ix, new);
    }
    spin_unlock(&lock);
}

void nameindex_forget(struct nameindex *ix) {
    *ix = (struct nameindex){0};
}

// ---- Use ----

bool nameindex_find(const struct nameindex *ix, const union name *name, uint32_t *number,
                    uint32_t *place) {
    spin_lock(&lock);
    bool known = is_indexed(ix);
    const struct indexed *e = known ? *link_to(ix, name) : NULL;
    *number = e != NULL ? e->number : 0;
    *place = e != NULL ? e->place : 0;
    spin_unlock(&lock);
    return known;
}

bool nameindex_find_free(const struct nameindex *ix, uint32_t end, uint32_t *place) {
    spin_lock(&lock);
    bool known = is_indexed(ix);
    if (known)
        *place = ix->free != NULL ? ix->free->place : end;
    spin_unlock(&lock);
    return known;
}

bool nameindex_count(const struct nameindex *ix, uint32_t *child_count) {
    spin_lock(&lock);
    bool known = is_indexed(ix);
    spin_unlock(&lock);
    *child_count = ix->child_count;
    return known;
}

// ---- Changes ----

void nameindex_add(struct nameindex *ix, const union name *name, uint32_t number, uint32_t place) {
    spin_lock(&lock);
    if (is_indexed(ix)) {
        struct indexed *e = ix->free;
        if (e == NULL)
            e = new_entry(ix, place);
        else
            ix->free = e->next;
        assert(e->place == place);
        keep_used(ix, e, name, number);
    }
    spin_unlock(&lock);
}

void nameindex_remove(struct nameindex *ix, const union name *name) {
    spin_lock(&lock);
    if (is_indexed(ix)) {
        struct indexed **link = link_to(ix, name), *e = *link;
        if (e != NULL) {
            *link = e->next;
            ix->child_count -= !name_is_dots(name);
            keep_free(ix, e);
        }
    }
    spin_unlock(&lock);
}
