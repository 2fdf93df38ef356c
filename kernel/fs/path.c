// Paths. To change an entry, a task locks its directory first and its inode second. That order has
// no cycles where directories form a tree, and a walk (fs/walk.c) sees to it that they do. But
// where a damaged disk has given a directory's block to a file as well, programs can change "..".
// So only one task at a time holds a directory while it waits for another, as it may have to when
// it removes one.
#include "fs/path.h"
#include "abi/errno.h"
#include "fs/allocate.h"
#include "fs/directory.h"
#include "fs/log.h"
#include "fs/walk.h"
#include "lib/print.h"

static struct mutex removal = MUTEX(removal);

int path_lookup(struct inode *cwd, const char *path, struct inode **found) {
    struct walk w;
    int error = walk_to_parent(&w, cwd, path);
    if (error == 0)
        error = walk_step(&w);
    *found = walk_end(&w);
    return error;
}

// ---- Changes of an entry ----

// Between change_begin and change_end a transaction is open and the directory is locked.
struct change {
    bool removes; // whether the change removes the entry
    struct inode *dir;
    union name name;
    uint32_t number; // of the inode; 0: there is no such entry
    uint32_t place;  // of the entry
    // The inode, once it is opened or made. Its reference is dropped after the transaction has
    // ended.
    struct inode *ip;
};

// Ends the transaction. Returns error or, if that is 0, what log_end returns.
static int change_end(struct change *c, int error) {
    inode_unlock(c->dir);
    if (c->removes)
        mutex_unlock(&removal);
    int end_error = log_end();
    inode_put(c->dir);
    return error ? error : end_error;
}

// As change_end, and drops the inode.
static int change_end_put(struct change *c, int error) {
    error = change_end(c, error);
    if (c->ip != NULL)
        inode_put(c->ip);
    return error;
}

// Opens a transaction, locks the directory and finds the entry. On failure there is nothing to end.
static int change_begin(struct change *c, struct inode *cwd, const char *path) {
    struct walk w;
    int error = walk_to_parent(&w, cwd, path);
    c->dir = walk_end(&w);
    c->name = w.name;
    if (error)
        return error;
    error = c->dir->disk.type == T_DIR ? log_begin() : -ENOTDIR;
    if (error) {
        inode_put(c->dir);
        return error;
    }
    if (c->removes)
        mutex_lock(&removal, RANK_REMOVAL);
    inode_lock_directory(c->dir);
    error = directory_find(c->dir, &c->name, &c->number, &c->place);
    return error ? change_end(c, error) : 0;
}

// Opens the inode of the entry, which must exist.
static int change_open(struct change *c) {
    int error = inode_open(c->number, &c->ip);
    if (error)
        return error;
    return directory_may_name(c->dir, c->ip) ? 0 : -EIO;
}

// ---- Create ----

static int add_dots(struct inode *dir, uint32_t parent) {
    int error = directory_add(dir, &NAME_DOT, dir->number);
    return error ? error : directory_add(dir, &NAME_DOT_DOT, parent);
}

// Makes the entry of the locked new inode and, for a directory, the entries "." and "..".
static int add_new(struct change *c, struct inode *ip) {
    if (ip->disk.type == T_DIR) {
        int error = add_dots(ip, c->dir->number);
        if (error)
            return error;
    }
    return directory_add(c->dir, &c->name, ip->number);
}

// Makes the locked new inode a copy of the model, and adds its entry.
static int fill_new(struct change *c, struct inode *ip, const struct disk_inode *model) {
    ip->disk = *model;
    ip->parent = model->type == T_DIR ? c->dir->number : 0;
    int error = add_new(c, ip);
    if (error)
        ip->disk.nlink = 0;
    int update_error = inode_update(ip);
    if (error || update_error)
        return error ? error : update_error;
    if (model->type != T_DIR)
        return 0;
    c->dir->disk.nlink++;
    return inode_update(c->dir);
}

// Makes an inode like the model, and its entry.
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

// An existing name may be created again only as a file, and only if it is not a directory.
static int create_existing(struct change *c, enum file_type type) {
    if (type != T_FILE)
        return -EEXIST;
    if (name_is_dots(&c->name))
        return -EISDIR;
    int error = change_open(c);
    if (error)
        return error;
    return c->ip->disk.type == T_DIR ? -EISDIR : 0;
}

int path_create(struct inode *cwd, const char *path, enum file_type type, unsigned major,
                unsigned minor, struct inode **created) {
    const struct disk_inode model = {
        .type = type, .major = (uint16_t)major, .minor = (uint16_t)minor, .nlink = 1};
    struct change c = {.removes = false};
    *created = NULL;
    int error = change_begin(&c, cwd, path);
    if (error)
        return error;
    error = c.number == 0 ? create_new(&c, &model) : create_existing(&c, type);
    if (error)
        return change_end_put(&c, error);
    error = change_end(&c, 0);
    if (error) {
        inode_put(c.ip);
        return error;
    }
    *created = c.ip;
    return 0;
}

// ---- Link and unlink ----

// Adds the entry for the locked inode.
static int link_locked(struct change *c, struct inode *ip) {
    if (c->number != 0)
        return -EEXIST;
    if (ip->disk.nlink == 0)
        return -ENOENT; // it has been removed meanwhile
    if (ip->disk.nlink >= LINKS_MAX)
        return -EMLINK;
    int error = directory_add(c->dir, &c->name, ip->number);
    if (error)
        return error;
    ip->disk.nlink++;
    return inode_update(ip);
}

static int link_inode(struct inode *ip, struct inode *cwd, const char *path) {
    struct change c = {.removes = false};
    if (ip->disk.type == T_DIR)
        return -EPERM;
    int error = change_begin(&c, cwd, path);
    if (error)
        return error;
    inode_lock(ip);
    error = link_locked(&c, ip);
    inode_unlock(ip);
    return change_end(&c, error);
}

int path_link(struct inode *cwd, const char *old_path, const char *new_path) {
    struct inode *ip;
    int error = path_lookup(cwd, old_path, &ip);
    if (error)
        return error;
    error = link_inode(ip, cwd, new_path);
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
    error = directory_remove(c->dir, &c->name, c->place);
    if (error)
        return error;
    ip->disk.nlink--;
    error = inode_update(ip);
    if (error || !is_directory)
        return error;
    c->dir->disk.nlink--;
    return inode_update(c->dir);
}

int path_unlink(struct inode *cwd, const char *path) {
    struct change c = {.removes = true};
    int error = change_begin(&c, cwd, path);
    if (error)
        return error;
    if (name_is_dots(&c.name))
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
