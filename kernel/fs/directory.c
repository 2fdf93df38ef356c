// Directories: files of 16-byte entries.
#include "fs/directory.h"
#include "abi/errno.h"
#include "lib/string.h"

// A directory entry, compared as two words. The first has the inode number in its lowest 16 bits.
union entry {
    struct dirent dirent;
    uint64_t words[2];
};

const char NAME_DOT[NAME_BYTES] = ".", NAME_DOT_DOT[NAME_BYTES] = "..";

bool same_name(const char *a, const char *b) {
    return memcmp(a, b, NAME_BYTES) == 0;
}

static union entry entry_of(const char *name, uint32_t number) {
    union entry entry = {.dirent.inum = (uint16_t)number};
    memcpy(entry.dirent.name, name, NAME_BYTES);
    return entry;
}

// What to look for, with a key whose inode number is 0.
typedef bool match_t(const union entry *e, const union entry *key);

static bool has_name(const union entry *e, const union entry *key) {
    return e->words[1] == key->words[1] && (e->words[0] ^ key->words[0]) >> 16 == 0 &&
           e->dirent.inum != 0;
}

static bool is_free(const union entry *e, const union entry *key) {
    return e->dirent.inum == key->dirent.inum;
}

static bool is_child(const union entry *e, const union entry *key) {
    const char *name = e->dirent.name;
    return e->dirent.inum != 0 && !same_name(name, NAME_DOT) && !same_name(name, NAME_DOT_DOT);
}

// Moves *offset to the first entry from there on that matches, or to the end of the locked
// directory. Stores its inode number, 0 at the end. Inline, so that the loop calls nothing.
static inline __attribute__((always_inline)) int scan(struct inode *dir, match_t *matches,
                                                      const union entry *key, uint64_t *offset,
                                                      uint32_t *number) {
    *number = 0;
    for (bool found = false; !found && *offset < dir->disk.size;) {
        struct block *b;
        int error = inode_block(dir, *offset / BLOCK_SIZE, &b);
        if (error)
            return error;
        uint64_t left = dir->disk.size - *offset, room = BLOCK_SIZE - *offset % BLOCK_SIZE;
        const union entry *first = (const union entry *)(b->data + *offset % BLOCK_SIZE),
                          *e = first;
        const union entry *end = first + (left < room ? left : room) / sizeof *first;
        while (e < end && !matches(e, key))
            e++;
        *offset += (uint64_t)((const char *)e - (const char *)first);
        found = e < end;
        if (found)
            *number = e->dirent.inum;
        cache_put(b);
    }
    return 0;
}

int directory_find(struct inode *dir, const char *name, uint32_t *number, uint64_t *offset) {
    union entry key = entry_of(name, 0);
    *offset = 0;
    if (dir->disk.nlink == 0)
        return -ENOENT; // it has been removed
    return scan(dir, has_name, &key, offset, number);
}

static int write_entry(struct inode *dir, uint64_t offset, const char *name, uint32_t number) {
    union entry entry = entry_of(name, number);
    int64_t n = inode_write(dir, offset, &entry, sizeof entry);
    return n < 0 ? (int)n : 0;
}

int directory_add(struct inode *dir, const char *name, uint32_t number) {
    uint64_t offset = 0;
    uint32_t unused;
    int error = scan(dir, is_free, &(union entry){0}, &offset, &unused);
    if (error == 0 && offset >= DIRECTORY_BYTES_MAX)
        error = -ENOSPC;
    return error ? error : write_entry(dir, offset, name, number);
}

int directory_remove(struct inode *dir, uint64_t offset) {
    return write_entry(dir, offset, (char[NAME_BYTES]){0}, 0);
}

int directory_check_empty(struct inode *dir) {
    uint64_t offset = 0;
    uint32_t child;
    int error = scan(dir, is_child, &(union entry){0}, &offset, &child);
    return error == 0 && child != 0 ? -ENOTEMPTY : error;
}
