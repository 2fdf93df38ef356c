// Paths. A walk locks one directory at a time. Whoever changes a directory locks it first and its entry
// second; links to directories do not exist, so that order has no cycles.
#include "fs/path.h"

#include "abi/errno.h"
#include "fs/allocate.h"
#include "fs/directory.h"
#include "fs/log.h"
#include "lib/print.h"
#include "lib/string.h"

static const char dot[NAME_BYTES] = ".", dot_dot[NAME_BYTES] = "..";

// Copies the next name of *path to `name`, cut and padded with zeros, and moves *path behind it;
// false if there is none.
static bool next_name(const char **path, char *name) {
    const char *p = *path;
    while (*p == '/') p++;
    if (*p == 0) return false;
    memset(name, 0, NAME_BYTES);
    for (size_t n = 0; *p != '/' && *p != 0; n++, p++) {
        if (n < NAME_BYTES) name[n] = *p;
    }
    *path = p;
    return true;
}

static bool same_name(const char *a, const char *b) { return memcmp(a, b, NAME_BYTES) == 0; }

// Replaces the reference *at to a directory by one to the entry; on failure there is none left.
static int walk(struct inode **at, const char *name) {
    struct inode *dir = *at;
    uint32_t number;
    uint64_t offset;
    int error = -ENOTDIR;
    if (dir->disk.type == T_DIR) {
        if (same_name(name, dot) || (same_name(name, dot_dot) && dir->number == ROOT_INODE)) return 0;
        inode_lock_directory(dir);
        error = dir->disk.nlink > 0 ? directory_find(dir, name, &number, &offset) : -ENOENT;
        if (error == 0) error = inode_open(number, at);
        inode_unlock(dir);
    }
    inode_put(dir);
    return error;
}

// Stores in *parent a reference to what the path's last name is looked up in, and that name; "." if
// there is only a slash.
static int walk_to_parent(struct inode *cwd, const char *path, struct inode **parent, char *name) {
    char next[NAME_BYTES];
    int error = *path == 0 ? -ENOENT : 0;
    if (*path == '/')
        error = inode_open(ROOT_INODE, parent);
    else if (error == 0)
        *parent = inode_get(cwd);
    memcpy(name, dot, NAME_BYTES);
    for (bool first = true; error == 0 && next_name(&path, next); first = false) {
        if (!first) error = walk(parent, name);
        memcpy(name, next, NAME_BYTES);
    }
    return error;
}

int path_lookup(struct inode *cwd, const char *path, struct inode **found) {
    char name[NAME_BYTES];
    int error = walk_to_parent(cwd, path, found, name);
    return error ? error : walk(found, name);
}

// The change of an entry: between change_begin and change_end a transaction is open and the directory locked.
struct change {
    struct inode *dir;
    char name[NAME_BYTES];
    uint32_t number; // of the inode if the entry exists
    uint64_t offset; // of the entry
};

// Ends the transaction. Drops a reference to the inode within it, unless that is NULL. Returns error or, if it
// is 0, what the end of the transaction gives.
static int change_end(struct change *c, struct inode *dropped, int error) {
    inode_unlock(c->dir);
    if (dropped != NULL) inode_put(dropped);
    int end_error = log_end();
    inode_put(c->dir);
    return error ? error : end_error;
}

// Finds the entry. Stores 0 in *found if there is one, -ENOENT if there could be one; on failure nothing is
// to be ended.
static int change_begin(struct change *c, struct inode *cwd, const char *path, int *found) {
    int error = walk_to_parent(cwd, path, &c->dir, c->name);
    if (error) return error;
    error = c->dir->disk.type == T_DIR ? log_begin() : -ENOTDIR;
    if (error) {
        inode_put(c->dir);
        return error;
    }
    inode_lock_directory(c->dir);
    *found = directory_find(c->dir, c->name, &c->number, &c->offset);
    if (c->dir->disk.nlink == 0) return change_end(c, NULL, -ENOENT);
    return *found == 0 || *found == -ENOENT ? 0 : change_end(c, NULL, *found);
}

// Gives the new, locked inode its contents and its name.
static int fill_new(struct change *c, struct inode *ip) {
    bool is_directory = ip->disk.type == T_DIR;
    int error = inode_update(ip);
    if (error == 0 && is_directory) error = directory_add(ip, dot, ip->number);
    if (error == 0 && is_directory) error = directory_add(ip, dot_dot, c->dir->number);
    if (error == 0) error = directory_add(c->dir, c->name, ip->number);
    if (error == 0 && is_directory) {
        c->dir->disk.nlink++;
        error = inode_update(c->dir);
    }
    return error;
}

// Makes an inode like the model and its entry. If *created is set on failure, it has no links.
static int create_new(struct change *c, const struct disk_inode *model, struct inode **created) {
    uint32_t number;
    struct inode *ip;
    if (model->type == T_DIR && c->dir->disk.nlink >= LINKS_MAX) return -EMLINK;
    int error = inode_number_alloc(model->type, &number);
    if (error) return error;
    error = inode_open(number, &ip);
    if (error) {
        inode_number_free(number);
        return error;
    }
    inode_lock(ip);
    ip->disk = *model;
    error = fill_new(c, ip);
    if (error) {
        ip->disk.nlink = 0;
        inode_update(ip);
    }
    inode_unlock(ip);
    *created = ip;
    return error;
}

int path_create(struct inode *cwd, const char *path, enum file_type type, unsigned major, unsigned minor,
                struct inode **created) {
    struct disk_inode model = {.type = type, .major = (uint16_t)major, .minor = (uint16_t)minor, .nlink = 1};
    struct change c;
    int found, error = change_begin(&c, cwd, path, &found);
    if (error) return error;
    struct inode *ip = NULL;
    if (found != 0)
        error = create_new(&c, &model, &ip);
    else if (type != T_FILE)
        error = -EEXIST;
    else
        error = inode_open(c.number, created);
    if (found == 0 && error == 0) {
        ip = *created;
        error = ip->disk.type == T_DIR ? -EISDIR : 0;
    }
    int end_error = change_end(&c, error ? ip : NULL, error);
    if (end_error && error == 0) inode_put(ip);
    *created = ip;
    return end_error;
}

// Makes the entry for the locked inode.
static int link_new(struct change *c, struct inode *ip) {
    if (ip->disk.nlink == 0 || ip->disk.nlink >= LINKS_MAX) return ip->disk.nlink == 0 ? -ENOENT : -EMLINK;
    int error = directory_add(c->dir, c->name, ip->number);
    if (error) return error;
    ip->disk.nlink++;
    return inode_update(ip);
}

int path_link(struct inode *cwd, const char *old_path, const char *new_path) {
    struct change c;
    struct inode *ip;
    int found, error = path_lookup(cwd, old_path, &ip);
    if (error) return error;
    error = ip->disk.type == T_DIR ? -EPERM : change_begin(&c, cwd, new_path, &found);
    if (error == 0) {
        inode_lock(ip);
        error = found == 0 ? -EEXIST : link_new(&c, ip);
        inode_unlock(ip);
        error = change_end(&c, NULL, error);
    }
    inode_put(ip);
    return error;
}

// Removes the entry of the locked inode.
static int unlink_locked(struct change *c, struct inode *ip) {
    bool is_directory = ip->disk.type == T_DIR;
    int error = is_directory ? directory_check_empty(ip) : 0;
    if (error == 0 && (ip->disk.nlink == 0 || (is_directory && c->dir->disk.nlink < 2))) {
        print("disk: inode %u or %u has too few links\n", ip->number, c->dir->number);
        error = -EIO;
    }
    if (error == 0) error = directory_remove(c->dir, c->offset);
    if (error) return error;
    ip->disk.nlink--;
    c->dir->disk.nlink -= is_directory;
    error = inode_update(ip);
    return error || !is_directory ? error : inode_update(c->dir);
}

int path_unlink(struct inode *cwd, const char *path) {
    struct change c;
    struct inode *ip;
    int found, error = change_begin(&c, cwd, path, &found);
    if (error) return error;
    if (same_name(c.name, dot) || same_name(c.name, dot_dot)) found = -EPERM;
    if (found == 0) found = c.number == c.dir->number ? -EIO : inode_open(c.number, &ip);
    if (found != 0) return change_end(&c, NULL, found);
    inode_lock(ip);
    error = unlink_locked(&c, ip);
    bool is_small = ip->disk.size <= TRANSACTION_BYTES;
    inode_unlock(ip);
    error = change_end(&c, is_small ? ip : NULL, error);
    if (!is_small) inode_put(ip);
    return error;
}
