// Walks. A walk locks one directory at a time, and enters only a directory whose ".." leads back.
#include "fs/walk.h"
#include "abi/errno.h"
#include "fs/directory.h"

static struct inode *root;

void walk_set_root(struct inode *ip) {
    root = ip;
}

// Copies the next name of *path, truncated to NAME_BYTES or padded with zeros, and moves *path past
// it. Returns false if there is none.
static bool next_name(const char **path, union name *name) {
    const char *p = *path;
    while (*p == '/')
        p++;
    if (*p == 0)
        return false;
    *name = (union name){{0}};
    for (size_t n = 0; *p != '/' && *p != 0; n++, p++) {
        if (n < NAME_BYTES)
            name->bytes[n] = *p;
    }
    *path = p;
    return true;
}

// Opens what ".." leads to. It is a directory that has a name, unless the disk is damaged.
static int open_parent(const struct inode *dir, struct inode **ip) {
    int error = inode_open(dir->parent, ip);
    if (error)
        return error;
    bool is_directory = (*ip)->disk.type == T_DIR && (*ip)->disk.nlink > 0;
    return is_directory ? 0 : -EIO;
}

// Opens what the entry of the locked directory names. On failure *ip may have a reference, too,
// which the caller drops when it has unlocked the directory; NULL: it has none.
static int open_entry(struct inode *dir, const union name *name, struct inode **ip) {
    uint32_t number, place;
    *ip = NULL;
    int error = directory_find(dir, name, &number, &place);
    if (error)
        return error;
    if (number == 0)
        return -ENOENT;
    if (name_is_same(name, &NAME_DOT_DOT))
        return open_parent(dir, ip);
    error = inode_open(number, ip);
    if (error)
        return error;
    return directory_may_name(dir, *ip) ? 0 : -EIO;
}

// Tells whether the name leads from the directory to itself.
static bool leads_nowhere(const struct inode *dir, const union name *name) {
    return name_is_same(name, &NAME_DOT) ||
           (name_is_same(name, &NAME_DOT_DOT) && dir->number == ROOT_INODE);
}

// Moves the walk to the inode, of which it takes over the reference. NULL: the walk has failed.
static void move_to(struct walk *w, struct inode *ip) {
    if (w->has_reference)
        inode_put(w->at);
    w->at = ip;
    w->has_reference = ip != NULL;
}

int walk_step(struct walk *w) {
    struct inode *dir = w->at, *ip = NULL;
    int error = -ENOTDIR;
    if (dir->disk.type == T_DIR) {
        if (leads_nowhere(dir, &w->name))
            return 0;
        directory_lock_to_find(dir);
        error = open_entry(dir, &w->name, &ip);
        inode_unlock(dir);
    }
    if (error && ip != NULL) {
        inode_put(ip);
        ip = NULL;
    }
    move_to(w, ip);
    return error;
}

int walk_to_parent(struct walk *w, struct inode *cwd, const char *path) {
    *w = (struct walk){.at = *path == '/' ? root : cwd, .name = NAME_DOT};
    if (*path == 0) {
        w->at = NULL;
        return -ENOENT;
    }
    union name next;
    int error = 0;
    while (error == 0 && next_name(&path, &next)) {
        error = walk_step(w);
        w->name = next;
    }
    return error;
}

struct inode *walk_end(struct walk *w) {
    if (w->at != NULL && !w->has_reference)
        inode_get(w->at);
    return w->at;
}
