// Directories. An entry is compared as two words of eight bytes, the first of which has the inode
// number in its lowest 16 bits.
#include "fs/directory.h"

#include "abi/errno.h"
#include "lib/string.h"

union slot {
    struct dirent entry;
    uint64_t words[2];
};

typedef bool match_t(const union slot *slot, const union slot *key);

static union slot slot_of(const char *name, uint32_t number) {
    union slot slot = {.entry.inum = (uint16_t)number};
    memcpy(slot.entry.name, name, NAME_BYTES);
    return slot;
}

static bool has_name(const union slot *slot, const union slot *key) {
    return slot->words[1] == key->words[1] && (slot->words[0] ^ key->words[0]) >> 16 == 0 && slot->entry.inum != 0;
}

static bool is_free(const union slot *slot, const union slot *key) { return slot->entry.inum == key->entry.inum; }

static bool is_child(const union slot *slot, const union slot *key) {
    const char *name = slot->entry.name;
    return slot->entry.inum != key->entry.inum && strncmp(name, ".", NAME_BYTES) != 0 &&
           strncmp(name, "..", NAME_BYTES) != 0;
}

// Stores in *key, which has the inode number 0, the first entry that matches it, in *offset its place. Inline, so
// that the loop calls nothing.
static inline __attribute__((always_inline)) int scan(struct inode *dir, match_t *matches, union slot *key,
                                                      uint64_t *offset) {
    for (*offset = 0; *offset < dir->disk.size;) {
        struct block *b;
        int error = inode_block(dir, *offset / BLOCK_SIZE, &b);
        if (error) return error;
        uint64_t bytes = dir->disk.size - *offset < BLOCK_SIZE ? dir->disk.size - *offset : BLOCK_SIZE;
        const union slot *first = (const union slot *)b->data, *end = first + bytes / sizeof *first, *slot = first;
        while (slot < end && !matches(slot, key)) slot++;
        *offset += (uint64_t)(slot - first) * sizeof *slot;
        if (slot < end) *key = *slot;
        cache_put(b);
        if (slot < end) return 0;
    }
    return -ENOENT;
}

int directory_find(struct inode *dir, const char *name, uint32_t *number, uint64_t *offset) {
    union slot slot = slot_of(name, 0);
    int error = scan(dir, has_name, &slot, offset);
    *number = slot.entry.inum;
    return error;
}

static int slot_write(struct inode *dir, uint64_t offset, const union slot *slot) {
    int64_t n = inode_write(dir, offset, slot, sizeof *slot);
    return n < 0 ? (int)n : 0;
}

int directory_add(struct inode *dir, const char *name, uint32_t number) {
    union slot slot = {0};
    uint64_t offset;
    int error = scan(dir, is_free, &slot, &offset);
    if (error == -ENOENT) // offset is the end
        error = offset < DIRECTORY_BYTES_MAX ? 0 : -ENOSPC;
    slot = slot_of(name, number);
    return error ? error : slot_write(dir, offset, &slot);
}

int directory_remove(struct inode *dir, uint64_t offset) { return slot_write(dir, offset, &(union slot){0}); }

int directory_check_empty(struct inode *dir) {
    union slot slot = {0};
    uint64_t offset;
    int error = scan(dir, is_child, &slot, &offset);
    return error == -ENOENT ? 0 : error ? error : -ENOTEMPTY;
}
