// What the checker learns about an image, and what it has found so far.
#pragma once

#include "abi/stat.h"
#include "image.h"

struct finding;

// Where the chain of a directory's parents leads.
enum reach { REACH_UNKNOWN, REACH_WALKING, REACH_ROOT, REACH_NOTHING, REACH_LOOP };

// What the directories say about an inode, and what it contains if it is a directory.
struct inode_facts {
    uint32_t links;              // entries that name it, as disk_inode.nlink counts them
    uint32_t names;              // those other than ".."
    uint32_t parent;             // the first directory that names it, by `name`
    const struct dirent *name;   // NULL: none
    uint32_t up;                 // of a directory: what its ".." names
    enum reach reach;            // of a directory
    size_t first_entry, entries; // its part of check.entries, sorted by name
};

struct check {
    struct image *image;
    const struct superblock *super;
    uint16_t *owners;              // by block: the inode that uses it, 0: none
    struct inode_facts *facts;     // by inode
    const struct dirent **entries; // of all directories
    size_t entries_size, entries_room;
    struct finding *findings; // the first ones
    unsigned violations, warnings;
    unsigned log_records;
    uint32_t inodes_used, blocks_used;
};

// Returns the path of an entry of `directory`, or with entry NULL of that directory itself. It
// starts with "..." if it is too long or does not lead to the root. It stays valid during the next
// call, but not the one after.
const char *facts_path(const struct check *c, uint32_t directory, const struct dirent *entry);

// True if there is an inode of that number and it is in use.
static inline bool facts_is_inode(const struct check *c, uint32_t number) {
    return number != 0 && number < c->super->inode_count &&
           image_inode(c->image, number)->type != 0;
}

// True for "." and "..".
static inline bool entry_is_dots(const struct dirent *entry) {
    return entry->name[0] == '.' &&
           (entry->name[1] == 0 || (entry->name[1] == '.' && entry->name[2] == 0));
}
