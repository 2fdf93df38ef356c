// Directories: names, and what they say about the inodes that they name.
#include "names.h"

#include <stdlib.h>
#include <string.h>

// ---- Entries ----

static int compare_entries(const void *a, const void *b) {
    const struct dirent *left = *(const struct dirent *const *)a,
                        *right = *(const struct dirent *const *)b;
    int order = strncmp(left->name, right->name, NAME_BYTES);
    return order != 0 ? order : (left > right) - (left < right); // the disk's order for equal names
}

static void check_name(struct check *c, uint32_t directory, const struct dirent *entry,
                       const struct dirent *previous) {
    size_t length = strnlen(entry->name, NAME_BYTES);
    const char *text = facts_path(c, ROOT_INODE, entry) + 1;
    if (length == 0)
        report(c, directory, "entry for inode %u has an empty name", entry->inum);
    if (memchr(entry->name, '/', length) != NULL)
        report(c, directory, "name '%s' has a slash", text);
    for (size_t i = length; i < NAME_BYTES; i++) {
        if (entry->name[i] != 0) {
            report(c, directory, "name '%s' is not filled up with zeros", text);
            break;
        }
    }
    if (previous != NULL && strncmp(previous->name, entry->name, NAME_BYTES) == 0)
        report(c, directory, "name '%s' appears twice", text);
    if (!facts_is_inode(c, entry->inum))
        report(c, directory, "'%s' names inode %u, which is %s", text, entry->inum,
               entry->inum < c->super->inode_count ? "free" : "past the last one");
}

// Counts the link that the entry is for the inode it names.
static void count_entry(struct check *c, uint32_t directory, const struct dirent *entry) {
    struct inode_facts *named = &c->facts[entry->inum];
    if (!facts_is_inode(c, entry->inum))
        return;
    if (!entry_is_dots(entry)) {
        named->links++;
        if (named->names++ == 0) {
            named->parent = directory;
            named->name = entry;
        }
    } else if (entry->name[1] == '.') {
        named->links++;
        c->facts[directory].up = entry->inum;
    }
}

// The kernel looks for ".." nowhere else.
static bool is_second(const struct check *c, const struct disk_inode *disk,
                      const struct dirent *entry) {
    size_t offset = (size_t)((const uint8_t *)entry - c->image->bytes);
    return offset == (size_t)disk->direct[0] * BLOCK_SIZE + sizeof *entry;
}

void directory_check(struct check *c, uint32_t number, const struct disk_inode *disk) {
    struct inode_facts *facts = &c->facts[number];
    const struct dirent **entries = facts->entries > 0 ? c->entries + facts->first_entry : NULL;
    unsigned dots = 0, others = 0;
    if (facts->entries > 0)
        qsort(entries, facts->entries, sizeof *entries, compare_entries);
    for (size_t i = 0; i < facts->entries; i++) {
        const struct dirent *entry = entries[i];
        bool is_dots = entry_is_dots(entry);
        dots += is_dots;
        others += !is_dots;
        if (disk->nlink == 0)
            continue; // removed: its ".." no longer counts, and may name what is gone too
        check_name(c, number, entry, i > 0 ? entries[i - 1] : NULL);
        count_entry(c, number, entry);
        if (is_dots && entry->name[1] == 0 && entry->inum != number)
            report(c, number, "'.' names inode %u", entry->inum);
        if (is_dots && entry->name[1] == '.' && !is_second(c, disk, entry))
            report(c, number, "'..' is not the second entry");
    }
    if (dots < 2 && disk->nlink > 0)
        report(c, number, "'.' or '..' missing");
    if (disk->nlink == 0 && others > 0)
        report(c, number, "removed directory is not empty: %u entries", others);
}

// ---- Links ----

// Returns where the chain of a directory's parents leads.
static enum reach find_reach(struct check *c, uint32_t number) {
    uint32_t at = number;
    for (; c->facts[at].reach == REACH_UNKNOWN; at = c->facts[at].parent)
        c->facts[at].reach = REACH_WALKING;
    enum reach result = c->facts[at].reach == REACH_WALKING ? REACH_LOOP : c->facts[at].reach;
    for (at = number; c->facts[at].reach == REACH_WALKING; at = c->facts[at].parent)
        c->facts[at].reach = result;
    return result;
}

static void check_parent(struct check *c, uint32_t number) {
    const struct inode_facts *facts = &c->facts[number];
    uint32_t parent = number == ROOT_INODE ? ROOT_INODE : facts->parent;
    if (facts->names > (number != ROOT_INODE))
        report(c, number, "directory has %u names too many", facts->names - (number != ROOT_INODE));
    if (parent != 0 && facts->up != 0 && facts->up != parent)
        report_two(c, number, parent, "'..' names inode %u, but the parent is ", facts->up);
    enum reach reach = find_reach(c, number);
    if (reach != REACH_ROOT)
        report(c, number, "directory cannot be reached from the root%s",
               reach == REACH_LOOP ? ": its parents form a loop" : "");
}

void links_check(struct check *c, uint32_t number) {
    const struct disk_inode *disk = image_inode(c->image, number);
    if (disk->nlink != c->facts[number].links)
        report(c, number, "nlink is %u, but %u directory entries name it", disk->nlink,
               c->facts[number].links);
    else if (disk->nlink == 0)
        warn(c, number, "orphan: was open when the machine stopped");
    if (disk->type == T_DIR && disk->nlink > 0)
        check_parent(c, number);
}
