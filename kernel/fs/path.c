// Paths. A walk locks one directory at a time. Whoever changes a directory locks it first and its entry
// second; links to directories do not exist, so that order has no cycles.
#include "fs/path.h"

#include "abi/errno.h"
#include "fs/allocate.h"
#include "fs/directory.h"
#include "fs/log.h"
#include "lib/print.h"
#include "lib/string.h"

// Copies the next name of *path to `name`, cut and padded with zeros, and moves *path behind it;
// false if there is none.
static bool next_name(const char **path, char *name)
{
    const char *p = *path;
    size_t n = 0;
    while (*p == '/')
        p++;
    if (*p == 0)
        return false;
    memset(name, 0, NAME_BYTES);
    for (; *p != '/' && *p != 0; p++)
        if (n < NAME_BYTES)
            name[n++] = *p;
    *path = p;
    return true;
}

static bool is_dot(const char *name)
{
    return strncmp(name, ".", NAME_BYTES) == 0;
}

static bool is_dot_dot(const char *name)
{
    return strncmp(name, "..", NAME_BYTES) == 0;
}

// Replaces the reference *at to a directory by one to the entry; on failure there is none left.
static int walk(struct inode **at, const char *name)
{
    struct inode *dir = *at;
    uint32_t number;
    uint64_t offset;
    int error = dir->disk.type == T_DIR ? 0 : -ENOTDIR;
    if (error == 0 && (is_dot(name) || (is_dot_dot(name) && dir->number == ROOT_INODE)))
        return 0;
    if (error == 0) {
        inode_lock_directory(dir);
        error = dir->disk.nlink == 0 ? -ENOENT : directory_find(dir, name, &number, &offset);
        if (error == 0)
            error = inode_open(number, at);
        inode_unlock(dir);
    }
    inode_put(dir);
    return error;
}

// Stores in *parent a reference to what the path's last name is looked up in, and that name; "." if
// there is only a slash.
static int walk_to_parent(struct inode *cwd, const char *path, struct inode **parent, char *name)
{
    char next[NAME_BYTES];
    int error = 0;
    if (*path == 0)
        return -ENOENT;
    if (*path != '/')
        *parent = inode_get(cwd);
    else
        error = inode_open(ROOT_INODE, parent);
    memcpy(name, ".\0\0\0\0\0\0\0\0\0\0\0\0", NAME_BYTES);
    for (bool first = true; error == 0 && next_name(&path, next); first = false) {
        if (!first)
            error = walk(parent, name);
        memcpy(name, next, NAME_BYTES);
    }
    return error;
}

int path_lookup(struct inode *cwd, const char *path, struct inode **found)
{
    char name[NAME_BYTES];
    int error = walk_to_parent(cwd, path, found, name);
    return error ? error : walk(found, name);
}

// Drops the directory and, unless it is NULL, an inode that may have to be freed in the same
// transaction. Returns the error, or if there is none so far that of the transaction.
static int change_end(struct inode *dir, struct inode *dropped, int error)
{
    inode_unlock(dir);
    if (dropped != NULL)
        inode_put(dropped);
    int end_error = log_end();
    inode_put(dir);
    return error ? error : end_error;
}

// Opens a transaction and locks the directory that has or gets the path's last name. On success
// change_end must follow.
static int change_begin(struct inode *cwd, const char *path, struct inode **dir, char *name)
{
    int error = walk_to_parent(cwd, path, dir, name);
    if (error)
        return error;
    error = (*dir)->disk.type == T_DIR ? log_begin() : -ENOTDIR;
    if (error) {
        inode_put(*dir);
        return error;
    }
    inode_lock_directory(*dir);
    return (*dir)->disk.nlink > 0 ? 0 : change_end(*dir, NULL, -ENOENT);
}

// Gives the new, locked inode its contents and its name in dir.
static int fill_new(struct inode *dir, const char *name, struct inode *ip)
{
    static const char dot[NAME_BYTES] = ".", dot_dot[NAME_BYTES] = "..";
    bool is_directory = ip->disk.type == T_DIR;
    int error = inode_update(ip);
    if (error == 0 && is_directory)
        error = directory_add(ip, dot, ip->number);
    if (error == 0 && is_directory)
        error = directory_add(ip, dot_dot, dir->number);
    if (error == 0)
        error = directory_add(dir, name, ip->number);
    if (error == 0 && is_directory) {
        dir->disk.nlink++;
        error = inode_update(dir);
    }
    return error;
}

// Makes an inode like the model, and its entry in the locked directory. Stores it in *created; on failure it
// has no links, or is NULL.
static int create_new(struct inode *dir, const char *name, const struct disk_inode *model, struct inode **created)
{
    uint32_t number;
    if (model->type == T_DIR && dir->disk.nlink >= LINKS_MAX)
        return -EMLINK;
    int error = inode_number_alloc(model->type, &number);
    if (error)
        return error;
    struct inode *ip;
    error = inode_open(number, &ip);
    if (error) {
        inode_number_free(number);
        return error;
    }
    inode_lock(ip);
    ip->disk = *model;
    error = fill_new(dir, name, ip);
    if (error) {
        ip->disk.nlink = 0;
        inode_update(ip);
    }
    inode_unlock(ip);
    *created = ip;
    return error;
}

// Stores in *found the inode that is in the place of a new one of that type, if it will do.
static int open_existing(uint32_t number, enum file_type type, struct inode **found)
{
    int error = inode_open(number, found);
    if (error) {
        *found = NULL;
        return error;
    }
    if (type != T_FILE)
        return -EEXIST;
    return (*found)->disk.type == T_DIR ? -EISDIR : 0;
}

int path_create(struct inode *cwd, const char *path, enum file_type type, unsigned major, unsigned minor,
                struct inode **created)
{
    struct disk_inode model = {.type = type, .major = (uint16_t)major, .minor = (uint16_t)minor, .nlink = 1};
    char name[NAME_BYTES];
    struct inode *dir, *ip = NULL;
    uint32_t number;
    uint64_t offset;
    int error = change_begin(cwd, path, &dir, name);
    if (error)
        return error;
    error = directory_find(dir, name, &number, &offset);
    if (error == 0)
        error = open_existing(number, type, &ip);
    else if (error == -ENOENT)
        error = create_new(dir, name, &model, &ip);
    int end_error = change_end(dir, error ? ip : NULL, error);
    if (end_error && error == 0)
        inode_put(ip);
    *created = ip;
    return end_error;
}

// Makes the entry in the locked directory for the locked inode.
static int link_new(struct inode *dir, const char *name, struct inode *ip)
{
    uint32_t number;
    uint64_t offset;
    int error = directory_find(dir, name, &number, &offset);
    if (error != -ENOENT)
        return error ? error : -EEXIST;
    if (ip->disk.nlink == 0)
        return -ENOENT;
    if (ip->disk.nlink >= LINKS_MAX)
        return -EMLINK;
    error = directory_add(dir, name, ip->number);
    if (error)
        return error;
    ip->disk.nlink++;
    return inode_update(ip);
}

int path_link(struct inode *cwd, const char *old_path, const char *new_path)
{
    char name[NAME_BYTES];
    struct inode *ip, *dir;
    int error = path_lookup(cwd, old_path, &ip);
    if (error)
        return error;
    error = ip->disk.type == T_DIR ? -EPERM : change_begin(cwd, new_path, &dir, name);
    if (error == 0) {
        inode_lock(ip);
        error = link_new(dir, name, ip);
        inode_unlock(ip);
        error = change_end(dir, NULL, error);
    }
    inode_put(ip);
    return error;
}

// Removes the entry at offset, which names ip, from the directory; both are locked.
static int unlink_locked(struct inode *dir, uint64_t offset, struct inode *ip)
{
    bool is_directory = ip->disk.type == T_DIR;
    int error = is_directory ? directory_check_empty(ip) : 0;
    if (error == 0 && (ip->disk.nlink == 0 || (is_directory && dir->disk.nlink < 2))) {
        print("disk: inode %u or %u has too few links\n", ip->number, dir->number);
        error = -EIO;
    }
    if (error == 0)
        error = directory_remove(dir, offset);
    if (error)
        return error;
    ip->disk.nlink--;
    dir->disk.nlink -= is_directory;
    error = inode_update(ip);
    return error || !is_directory ? error : inode_update(dir);
}

int path_unlink(struct inode *cwd, const char *path)
{
    char name[NAME_BYTES];
    struct inode *dir, *ip = NULL;
    uint32_t number;
    uint64_t offset;
    int error = change_begin(cwd, path, &dir, name);
    if (error)
        return error;
    error = is_dot(name) || is_dot_dot(name) ? -EPERM : directory_find(dir, name, &number, &offset);
    if (error == 0)
        error = number == dir->number ? -EIO : inode_open(number, &ip);
    if (error)
        return change_end(dir, NULL, error);
    inode_lock(ip);
    error = unlink_locked(dir, offset, ip);
    bool is_small = ip->disk.size <= TRANSACTION_BYTES;
    inode_unlock(ip);
    error = change_end(dir, is_small ? ip : NULL, error);
    if (!is_small)
        inode_put(ip);
    return error;
}
