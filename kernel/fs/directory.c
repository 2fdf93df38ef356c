// Directories: files of 16-byte entries. An operation asks the index first (fs/nameindex.h). Only
// where a directory is not indexed, it is read: as a whole, and thereby indexed, or, if it has more
// entries than the index has room for, until the search ends.
#include "fs/directory.h"
#include "abi/errno.h"
#include "arch/address.h"
#include "fs/log.h"
#include "lib/panic.h"
#include "lib/print.h"
#include "lib/string.h"

enum { ENTRIES_PER_BLOCK = BLOCK_SIZE / sizeof(struct dirent) };

const union name NAME_DOT = {"."}, NAME_DOT_DOT = {".."};

static uint32_t entry_count(const struct inode *dir) {
    return (uint32_t)(dir->disk.size / sizeof(struct dirent));
}

// Entries that lie in one block.
struct entries {
    struct block *block; // with a reference
    struct dirent *first;
    uint32_t count;
};

// Stores in *s the directory's entries from that place to the end of the block or directory.
static int entries_get(struct inode *dir, uint32_t place, struct entries *s) {
    if (place >= entry_count(dir))
        return -EIO;
    int error = inode_block(dir, place / ENTRIES_PER_BLOCK, &s->block);
    if (error)
        return error;
    uint32_t skipped = place % ENTRIES_PER_BLOCK;
    s->first = (struct dirent *)s->block->data + skipped;
    s->count = (uint32_t)min(entry_count(dir) - place, ENTRIES_PER_BLOCK - skipped);
    return 0;
}

// ---- Search without an index ----

// Tells whether an entry is what scan looks for.
typedef bool match_t(const struct dirent *e, const union name *name);

static bool has_name(const struct dirent *e, const union name *name) {
    union name other = dirent_name(e);
    return e->inum != 0 && name_is_same(&other, name);
}

static bool is_free(const struct dirent *e, const union name *unused) {
    return e->inum == 0;
}

static bool is_child(const struct dirent *e, const union name *unused) {
    union name name = dirent_name(e);
    return e->inum != 0 && !name_is_dots(&name);
}

// Stores the place of the first entry that matches, and its inode number. If there is none, stores
// the number of entries, and 0.
static int scan(struct inode *dir, match_t *matches, const union name *name, uint32_t *number,
                uint32_t *place) {
    *number = 0;
    *place = 0;
    while (*place < entry_count(dir)) {
        struct entries s;
        int error = entries_get(dir, *place, &s);
        if (error)
            return error;
        uint32_t i = 0;
        while (i < s.count && !matches(&s.first[i], name))
            i++;
        *place += i;
        bool found = i < s.count;
        if (found)
            *number = s.first[i].inum;
        cache_put(s.block);
        if (found)
            return 0;
    }
    return 0;
}

// ---- Search ----

// Reads the directory into the index, if it has room.
static int index_entries(struct inode *dir) {
    if (!nameindex_begin(&dir->names, entry_count(dir)))
        return 0;
    for (uint32_t place = 0; place < entry_count(dir); place += ENTRIES_PER_BLOCK) {
        struct entries s;
        int error = entries_get(dir, place, &s);
        if (error) {
            nameindex_forget(&dir->names);
            return error;
        }
        nameindex_read(&dir->names, place, s.first, s.count);
        cache_put(s.block);
    }
    return 0;
}

void directory_lock_to_find(struct inode *dir) {
    uint32_t count;
    inode_lock_shared(dir);
    if (nameindex_count(&dir->names, &count))
        return;
    inode_unlock(dir);
    inode_lock(dir);
}

int directory_find(struct inode *dir, const union name *name, uint32_t *number, uint32_t *place) {
    assert(inode_is_locked(dir));
    if (dir->disk.nlink == 0)
        return -ENOENT; // it has been removed
    if (nameindex_find(&dir->names, name, number, place))
        return 0;
    if (mutex_held(&dir->mutex)) { // nobody else uses the index meanwhile
        int error = index_entries(dir);
        if (error || nameindex_find(&dir->names, name, number, place))
            return error;
    }
    return scan(dir, has_name, name, number, place);
}

int directory_check_empty(struct inode *dir) {
    uint32_t child_count, child, place;
    if (nameindex_count(&dir->names, &child_count))
        return child_count > 0 ? -ENOTEMPTY : 0;
    int error = scan(dir, is_child, NULL, &child, &place);
    if (error)
        return error;
    return child != 0 ? -ENOTEMPTY : 0;
}

// ---- Changes ----

// Replaces the entry at that place, which must still be `old`: on a damaged disk, a file may share
// the directory's block.
static int replace_entry(struct inode *dir, uint32_t place, const union name *old,
                         const struct dirent *new) {
    struct entries s;
    int error = entries_get(dir, place, &s);
    if (error)
        return error;
    if (old != NULL ? has_name(s.first, old) : is_free(s.first, NULL)) {
        *s.first = *new;
        log_write(s.block);
        return 0;
    }
    cache_put(s.block);
    print("disk: directory %u has changed\n", dir->number);
    return -EIO;
}

static int append_entry(struct inode *dir, const struct dirent *new) {
    if (dir->disk.size >= DIRECTORY_BYTES_MAX)
        return -ENOSPC;
    int64_t n = inode_write(dir, dir->disk.size, new, sizeof *new);
    return n < 0 ? (int)n : 0;
}

// Stores the place of a free entry, or else the number of entries.
static int find_free(struct inode *dir, uint32_t *place) {
    uint32_t unused;
    if (nameindex_find_free(&dir->names, entry_count(dir), place))
        return 0;
    return scan(dir, is_free, NULL, &unused, place);
}

int directory_add(struct inode *dir, const union name *name, uint32_t number) {
    struct dirent entry = {.inum = (uint16_t)number};
    memcpy(entry.name, name->bytes, NAME_BYTES);
    uint32_t place;
    int error = find_free(dir, &place);
    if (error)
        return error;
    if (place < entry_count(dir))
        error = replace_entry(dir, place, NULL, &entry);
    else
        error = append_entry(dir, &entry);
    if (error)
        nameindex_forget(&dir->names);
    else
        nameindex_add(&dir->names, name, number, place);
    return error;
}

int directory_remove(struct inode *dir, const union name *name, uint32_t place) {
    const struct dirent none = {0};
    int error = replace_entry(dir, place, name, &none);
    if (error)
        nameindex_forget(&dir->names);
    else
        nameindex_remove(&dir->names, name);
    return error;
}

bool directory_may_name(const struct inode *dir, const struct inode *ip) {
    bool is_child = ip->parent == dir->number && ip != dir && ip->number != ROOT_INODE;
    if (ip->disk.nlink > 0 && (ip->disk.type != T_DIR || is_child))
        return true;
    print("disk: directory %u has a damaged entry for inode %u\n", dir->number, ip->number);
    return false;
}
