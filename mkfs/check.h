// The checker of disk images: finds every departure from the format and names it in a line. It
// trusts nothing in the image; time and memory are bounded by the image's size.
#pragma once

#include <stdio.h>

#include "abi/stat.h"
#include "image.h"

struct finding;

enum reach { REACH_UNKNOWN, REACH_WALKING, REACH_ROOT, REACH_NOTHING, REACH_LOOP };

// What the directories say of an inode, and what they hold if it is one.
struct inode_facts {
    uint32_t links;              // entries that name it, as disk_inode.nlink counts them
    uint32_t names;              // those besides ".."
    uint32_t parent;             // the first directory that names it, by `name`
    const struct dirent *name;   // NULL: none
    uint32_t up;                 // a directory's ".."
    enum reach reach;            // where its parents lead
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

// Checks the superblock; the rest only makes sense if that returns true.
bool check_superblock(struct check *c, struct image *image);

// Counts the committed records of the log and, if `replay`, puts their blocks where they belong.
void check_log(struct check *c, bool replay);

// Checks all the rest.
void check_contents(struct check *c);

// Prints the findings, a line each: of many only the first ones, and their number.
void check_print(const struct check *c, FILE *out, bool warnings);

void check_destroy(struct check *c);

// Returns the path of an entry of `directory`, or with entry NULL of that directory itself. Starts
// with "..." if it is too long or leads to no root. Ends with the next call but one.
const char *check_path(const struct check *c, uint32_t directory, const struct dirent *entry);

static inline bool check_is_inode(const struct check *c, uint32_t number) {
    return number != 0 && number < c->super->inode_count &&
           image_inode(c->image, number)->type != 0;
}

// True for "." and "..".
static inline bool entry_is_dots(const struct dirent *entry) {
    return entry->name[0] == '.' &&
           (entry->name[1] == 0 || (entry->name[1] == '.' && entry->name[2] == 0));
}
