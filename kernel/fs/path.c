// Paths. A walk locks one directory at a time; to change an entry, its directory is locked first
// and its inode second. That order has no cycles where directories form a tree, and a walk goes
// down only to a directory whose ".." leads back up. But where a damaged disk gave a directory's
// block to a file as well, programs can change "..". So only one task at a time locks a directory
// while it has another: to remove its entry.
#include "fs/path.h"
#include "abi/errno.h"
#include "fs/allocate.h"
#include "fs/directory.h"
#include "fs/log.h"
#include "lib/print.h"
#include "lib/string.h"

static struct mutex removal = MUTEX(removal);

static bool is_dots(const char *name) {
    return same_name(name, NAME_DOT) || same_name(name, NAME_DOT_DOT);
}

// Copies the next name of *path, cut and padded with zeros, and moves *path to what follows it;
// false if there is none.
static bool next_name(const char **path, char *name) {
    const char *p = *path;
    while (*p == '/')
        p++;
    if (*p == 0)
        return false;
    memset(name, 0, NAME_BYTES);
    for (size_t n = 0; *p != '/' && *p != 0; n++, p++)
        if (n < NAME_BYTES)
            name[n] = *p;
    *path = p;
    return true;
}

// Tells whether the directory may have an entry, other than "." and "..", for that inode: a damaged
// one may name what was removed, or a directory that has its place elsewhere.
static bool may_name(const struct inode *dir, const struct inode *ip) {
    bool is_child = ip->parent == dir->number && ip != dir && ip->number != ROOT_INODE;
    if (ip->disk.nlink > 0 && (ip->disk.type != T_DIR || is_child))
        return true;
    print("disk: directory %u has a damaged entry for inode %u\n", dir->number, ip->number);
    return false;
}

// What ".." leads to. It is a directory that exists, unless the disk is damaged.
static int open_parent(const struct inode *dir, struct inode **ip) {
    int error = inode_open(dir->parent, ip);
    return error == 0 && ((*ip)->disk.type != T_DIR || (*ip)->disk.nlink == 0) ? -EIO : error;
}

// Stores in *ip the inode of the locked directory's entry, with a reference, perhaps even on
// failure; NULL if there is no such entry.
static int open_entry(struct inode *dir, const char *name, struct inode **ip) {
    uint32_t number;
    uint64_t offset;
    *ip = NULL;
    int error = directory_find(dir, name, &number, &offset);
    if (error || number == 0)
        return error ? error : -ENOENT;
    if (same_name(name, NAME_DOT_DOT))
        return open_parent(dir, ip);
    error = inode_open(number, ip);
    return error == 0 && !may_name(dir, *ip) ? -EIO : error;
}

// Replaces the reference *at to a directory by one to the entry; on failure there is none left.
static int walk(struct inode **at, const char *name) {
    struct inode *dir = *at, *ip;
    if (dir->disk.type != T_DIR) {
        inode_put(dir);
        return -ENOTDIR;
    }
    if (same_name(name, NAME_DOT) || (same_name(name, NAME_DOT_DOT) && dir->number == ROOT_INODE))
        return 0;
    inode_lock_directory(dir);
    int error = open_entry(dir, name, &ip);
    inode_unlock(dir);
    inode_put(dir);
    if (error && ip != NULL)
        inode_put(ip);
    *at = ip;
    return error;
}

// Stores in *parent a reference to what the path's last name is looked up in, and that name; "." if
// there is none.
static int walk_to_parent(struct inode *cwd, const char *path, struct inode **parent, char *name) {
    char next[NAME_BYTES];
    if (*path == 0)
        return -ENOENT;
    int error = inode_open(*path == '/' ? ROOT_INODE : cwd->number, parent);
    memcpy(name, NAME_DOT, NAME_BYTES);
    while (error == 0 && next_name(&path, next)) {
        error = walk(parent, name);
        memcpy(name, next, NAME_BYTES);
    }
    return error;
}

int path_lookup(struct inode *cwd, const char *path, struct inode **found) {
    char name[NAME_BYTES];
    int error = walk_to_parent(cwd, path, found, name);
    return error ? error : walk(found, name);
}

// The change of an entry: between change_begin and change_end a transaction is open and the
// directory locked.
struct change {
    bool removes; // an entry
    struct inode *dir;
    char name[NAME_BYTES];
    uint32_t number;  // of the inode; 0: there is no such entry
    uint64_t offset;  // of the entry
    struct inode *ip; // if it was opened or made, with a reference; dropped only after the end of
                      // the transaction
};

// Ends the transaction. Returns error or, if that is 0, what the end gives.
static int change_end(struct change *c, int error) {
    inode_unlock(c->dir);
    if (c->removes)
        mutex_unlock(&removal);
    int end_error = log_end();
    inode_put(c->dir);
    return error ? error : end_error;
}

// The same, and drops the inode.
static int change_end_put(struct change *c, int error) {
    error = change_end(c, error);
    if (c->ip != NULL)
        inode_put(c->ip);
    return error;
}

// Finds the entry. On failure nothing is to be ended.
static int change_begin(struct change *c, struct inode *cwd, const char *path, bool removes) {
    c->ip = NULL;
    c->removes = removes;
    int error = walk_to_parent(cwd, path, &c->dir, c->name);
    if (error)
        return error;
    error = c->dir->disk.type == T_DIR ? log_begin() : -ENOTDIR;
    if (error) {
        inode_put(c->dir);
        return error;
    }
    if (removes)
        mutex_lock(&removal, RANK_REMOVAL);
    inode_lock_directory(c->dir);
    error = directory_find(c->dir, c->name, &c->number, &c->offset);
    return error ? change_end(c, error) : 0;
}

// Opens the inode of the entry, which exists.
static int change_open(struct change *c) {
    int error = inode_open(c->number, &c->ip);
    return error == 0 && !may_name(c->dir, c->ip) ? -EIO : error;
}

// Fills the locked new inode like the model and makes its entry.
static int fill_new(struct change *c, struct inode *ip, const struct disk_inode *model) {
    bool is_directory = model->type == T_DIR;
    int error = 0;
    ip->disk = *model;
    ip->parent = is_directory ? c->dir->number : 0;
    if (is_directory)
        error = directory_add(ip, NAME_DOT, ip->number);
    if (is_directory && error == 0)
        error = directory_add(ip, NAME_DOT_DOT, c->dir->number);
    if (error == 0)
        error = directory_add(c->dir, c->name, ip->number);
    if (error)
        ip->disk.nlink = 0;
    int update_error = inode_update(ip);
    if (error || update_error)
        return error ? error : update_error;
    if (!is_directory)
        return 0;
    c->dir->disk.nlink++;
    return inode_update(c->dir);
}

// Makes an inode like the model and its entry.
static int create_new(struct change *c, const struct disk_inode *model) {
    uint32_t number;
    if (model->type == T_DIR && c->dir->disk.nlink >= LINKS_MAX)
        return -EMLINK;
    int error = inode_number_alloc(&number);
    if (error)
        return error;
    error = inode_open_unnamed(number, &c->ip);
    if (error) {
        inode_number_free(number);
        return error;
    }
    inode_lock(c->ip);
    error = fill_new(c, c->ip, model);
    if (error)
        inode_free_unused(c->ip);
    inode_unlock(c->ip);
    return error;
}

// What exists can be created once more only if it is no directory and is to be a file.
static int create_existing(struct change *c, enum file_type type) {
    if (type != T_FILE)
        return -EEXIST;
    if (is_dots(c->name))
        return -EISDIR;
    int error = change_open(c);
    return error == 0 && c->ip->disk.type == T_DIR ? -EISDIR : error;
}

int path_create(struct inode *cwd, const char *path, enum file_type type, unsigned major,
                unsigned minor, struct inode **created) {
    struct disk_inode model = {
        .type = type, .major = (uint16_t)major, .minor = (uint16_t)minor, .nlink = 1};
    struct change c;
    *created = NULL;
    int error = change_begin(&c, cwd, path, false);
    if (error)
        return error;
    error = c.number == 0 ? create_new(&c, &model) : create_existing(&c, type);
    if (error)
        return change_end_put(&c, error);
    error = change_end(&c, 0);
    if (error)
        inode_put(c.ip);
    else
        *created = c.ip;
    return error;
}

// Adds the entry for the locked inode.
static int link_locked(struct change *c, struct inode *ip) {
    if (c->number != 0)
        return -EEXIST;
    if (ip->disk.nlink == 0)
        return -ENOENT; // it has been removed meanwhile
    if (ip->disk.nlink >= LINKS_MAX)
        return -EMLINK;
    int error = directory_add(c->dir, c->name, ip->number);
    if (error)
        return error;
    ip->disk.nlink++;
    return inode_update(ip);
}

int path_link(struct inode *cwd, const char *old_path, const char *new_path) {
    struct change c;
    struct inode *ip;
    int error = path_lookup(cwd, old_path, &ip);
    if (error)
        return error;
    error = ip->disk.type == T_DIR ? -EPERM : change_begin(&c, cwd, new_path, false);
    if (error == 0) {
        inode_lock(ip);
        error = link_locked(&c, ip);
        inode_unlock(ip);
        error = change_end(&c, error);
    }
    inode_put(ip);
    return error;
}

// Removes the entry of the locked inode.
static int unlink_locked(struct change *c, struct inode *ip) {
    bool is_directory = ip->disk.type == T_DIR;
    int error = is_directory ? directory_check_empty(ip) : 0;
    if (error)
        return error;
    if (ip->disk.nlink == 0 || (is_directory && c->dir->disk.nlink < 2)) {
        print("disk: inode %u or %u has too few links\n", ip->number, c->dir->number);
        return -EIO;
    }
    error = directory_remove(c->dir, c->offset);
    if (error)
        return error;
    ip->disk.nlink--;
    c->dir->disk.nlink -= is_directory;
    error = inode_update(ip);
    return error || !is_directory ? error : inode_update(c->dir);
}

int path_unlink(struct inode *cwd, const char *path) {
    struct change c;
    int error = change_begin(&c, cwd, path, true);
    if (error)
        return error;
    if (is_dots(c.name))
        return change_end(&c, -EPERM);
    error = c.number != 0 ? change_open(&c) : -ENOENT;
    if (error)
        return change_end_put(&c, error);
    inode_lock(c.ip);
    error = unlink_locked(&c, c.ip);
    if (error == 0)
        inode_free_unused(c.ip);
    inode_unlock(c.ip);
    return change_end_put(&c, error);
}
