// Paths and the directories they lead through, files of 16-byte entries. A walk locks one at a time; whoever changes
// one locks it first and its entry second. Links to directories do not exist, so that order has no cycles.
#include "fs/path.h"
#include "abi/errno.h"
#include "fs/filesystem.h"
#include "fs/log.h"
#include "lib/print.h"
#include "lib/string.h"

// A directory entry, compared as two words. The first has the inode number in its lowest 16 bits.
union entry {
    struct dirent dirent;
    uint64_t words[2];
};

static const char dot[NAME_BYTES] = ".", dot_dot[NAME_BYTES] = ".."; // names are padded with zeros

static bool same_name(const char *a, const char *b) { return memcmp(a, b, NAME_BYTES) == 0; }

static union entry entry_of(const char *name, uint32_t number) {
    union entry entry = {.dirent.inum = (uint16_t)number};
    memcpy(entry.dirent.name, name, NAME_BYTES);
    return entry;
}

// What to look for, with a key whose inode number is 0.
typedef bool match_t(const union entry *e, const union entry *key);

static bool has_name(const union entry *e, const union entry *key) {
    return e->words[1] == key->words[1] && (e->words[0] ^ key->words[0]) >> 16 == 0 && e->dirent.inum != 0;
}

static bool is_free(const union entry *e, const union entry *key) { return e->dirent.inum == key->dirent.inum; }
static bool is_used(const union entry *e, const union entry *key) { return e->dirent.inum != key->dirent.inum; }

// Moves *offset to the first entry there or behind that matches, or to the end of the locked directory. Stores its
// inode number, 0 at the end. Inline, so that the loop calls nothing.
static inline __attribute__((always_inline)) int scan(struct inode *dir, match_t *matches, const union entry *key,
                                                      uint64_t *offset, uint32_t *number) {
    *number = 0;
    for (bool found = false; !found && *offset < dir->disk.size;) {
        struct block *b;
        int error = inode_block(dir, *offset / BLOCK_SIZE, &b);
        if (error) return error;
        uint64_t left = dir->disk.size - *offset, room = BLOCK_SIZE - *offset % BLOCK_SIZE;
        const union entry *first = (const union entry *)(b->data + *offset % BLOCK_SIZE), *e = first;
        const union entry *end = first + (left < room ? left : room) / sizeof *first;
        while (e < end && !matches(e, key)) e++;
        *offset += (uint64_t)((const char *)e - (const char *)first);
        found = e < end;
        if (found) *number = e->dirent.inum;
        cache_put(b);
    }
    return 0;
}

// Stores the inode number and the place of the locked directory's entry; number 0 if there is none of that name.
static int directory_find(struct inode *dir, const char *name, uint32_t *number, uint64_t *offset) {
    union entry key = entry_of(name, 0);
    *offset = 0;
    if (dir->disk.nlink == 0) return -ENOENT; // it has been removed
    return scan(dir, has_name, &key, offset, number);
}

// Changes the entry of the locked directory, in the open transaction.
static int directory_set(struct inode *dir, uint64_t offset, const char *name, uint32_t number) {
    union entry entry = entry_of(name, number);
    int64_t n = inode_write(dir, offset, &entry, sizeof entry);
    return n < 0 ? (int)n : 0;
}

// Adds an entry, which does not exist, to the locked directory in the open transaction.
static int directory_add(struct inode *dir, const char *name, uint32_t number) {
    uint64_t offset = 0;
    uint32_t unused;
    int error = scan(dir, is_free, &(union entry){0}, &offset, &unused);
    if (error == 0 && offset >= DIRECTORY_BYTES_MAX) error = -ENOSPC;
    return error ? error : directory_set(dir, offset, name, number);
}

// Copies the next name of *path, cut and padded with zeros, and moves *path behind it; false if there is none.
static bool next_name(const char **path, char *name) {
    const char *p = *path;
    while (*p == '/') p++;
    if (*p == 0) return false;
    memset(name, 0, NAME_BYTES);
    for (size_t n = 0; *p != '/' && *p != 0; n++, p++)
        if (n < NAME_BYTES) name[n] = *p;
    *path = p;
    return true;
}

// Replaces the reference *at to a directory by one to the entry; on failure there is none left.
static int walk(struct inode **at, const char *name) {
    struct inode *dir = *at;
    uint32_t number;
    uint64_t offset;
    int error = -ENOTDIR;
    if (dir->disk.type == T_DIR) {
        if (same_name(name, dot) || (same_name(name, dot_dot) && dir->number == ROOT_INODE)) return 0;
        inode_lock_directory(dir);
        error = directory_find(dir, name, &number, &offset);
        if (error == 0) error = number != 0 ? inode_open(number, at) : -ENOENT;
        inode_unlock(dir);
    }
    inode_put(dir);
    return error;
}

// Stores in *parent a reference to what the path's last name is looked up in, and that name; "." if there is none.
static int walk_to_parent(struct inode *cwd, const char *path, struct inode **parent, char *name) {
    char next[NAME_BYTES];
    if (*path == 0) return -ENOENT;
    int error = inode_open(*path == '/' ? ROOT_INODE : cwd->number, parent);
    memcpy(name, dot, NAME_BYTES);
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

// The change of an entry: between change_begin and change_end a transaction is open and the directory locked.
struct change {
    struct inode *dir;
    char name[NAME_BYTES];
    uint32_t number; // of the inode; 0: there is no such entry
    uint64_t offset; // of the entry
};

// Ends the transaction; `dropped`, if any, is put within it. Returns error or, if that is 0, what the end gives.
static int change_end(struct change *c, struct inode *dropped, int error) {
    inode_unlock(c->dir);
    if (dropped != NULL) inode_put(dropped);
    int end_error = log_end();
    inode_put(c->dir);
    return error ? error : end_error;
}

// Finds the entry. On failure nothing is to be ended.
static int change_begin(struct change *c, struct inode *cwd, const char *path) {
    int error = walk_to_parent(cwd, path, &c->dir, c->name);
    if (error) return error;
    error = c->dir->disk.type == T_DIR ? log_begin() : -ENOTDIR;
    if (error) {
        inode_put(c->dir);
        return error;
    }
    inode_lock_directory(c->dir);
    error = directory_find(c->dir, c->name, &c->number, &c->offset);
    return error ? change_end(c, NULL, error) : 0;
}

// Makes an inode like the model and its entry. If *made is set on failure, it has no links.
static int create_new(struct change *c, const struct disk_inode *model, struct inode **made) {
    uint32_t number;
    bool is_directory = model->type == T_DIR;
    if (is_directory && c->dir->disk.nlink >= LINKS_MAX) return -EMLINK;
    int error = inode_number_alloc(&number);
    if (error) return error;
    error = inode_open(number, made);
    if (error) {
        inode_number_free(number);
        return error;
    }
    struct inode *ip = *made;
    inode_lock(ip);
    ip->disk = *model;
    if (is_directory) error = directory_add(ip, dot, number);
    if (is_directory && error == 0) error = directory_add(ip, dot_dot, c->dir->number);
    if (error == 0) error = directory_add(c->dir, c->name, number);
    if (error) ip->disk.nlink = 0;
    int update_error = inode_update(ip);
    if (error == 0) error = update_error;
    if (is_directory && error == 0) {
        c->dir->disk.nlink++;
        error = inode_update(c->dir);
    }
    inode_unlock(ip);
    return error;
}

int path_create(struct inode *cwd, const char *path, enum file_type type, unsigned major, unsigned minor,
                struct inode **created) {
    struct disk_inode model = {.type = type, .major = (uint16_t)major, .minor = (uint16_t)minor, .nlink = 1};
    struct inode *ip = NULL;
    struct change c;
    int error = change_begin(&c, cwd, path);
    if (error) return error;
    error = c.number == 0 ? create_new(&c, &model, &ip) : type == T_FILE ? inode_open(c.number, &ip) : -EEXIST;
    if (error == 0 && type == T_FILE && ip->disk.type == T_DIR) error = -EISDIR;
    int end_error = change_end(&c, error ? ip : NULL, error);
    if (end_error && error == 0) inode_put(ip);
    *created = ip;
    return end_error;
}

int path_link(struct inode *cwd, const char *old_path, const char *new_path) {
    struct change c;
    struct inode *ip;
    int error = path_lookup(cwd, old_path, &ip);
    if (error) return error;
    error = ip->disk.type == T_DIR ? -EPERM : change_begin(&c, cwd, new_path);
    if (error == 0) {
        inode_lock(ip);
        if (c.number != 0) error = -EEXIST;
        if (error == 0 && ip->disk.nlink == 0) error = -ENOENT;
        if (error == 0) error = ip->disk.nlink < LINKS_MAX ? directory_add(c.dir, c.name, ip->number) : -EMLINK;
        if (error == 0) {
            ip->disk.nlink++;
            error = inode_update(ip);
        }
        inode_unlock(ip);
        error = change_end(&c, NULL, error);
    }
    inode_put(ip);
    return error;
}

// Removes the entry of the locked inode.
static int unlink_locked(struct change *c, struct inode *ip) {
    bool is_directory = ip->disk.type == T_DIR;
    uint64_t offset = 2 * sizeof(struct dirent); // behind "." and ".."
    uint32_t child = 0;
    int error = is_directory ? scan(ip, is_used, &(union entry){0}, &offset, &child) : 0;
    if (child != 0) error = -ENOTEMPTY;
    if (error == 0 && (ip->disk.nlink == 0 || (is_directory && c->dir->disk.nlink < 2))) {
        print("disk: inode %u or %u has too few links\n", ip->number, c->dir->number);
        error = -EIO;
    }
    if (error == 0) error = directory_set(c->dir, c->offset, (char[NAME_BYTES]){0}, 0);
    if (error) return error;
    ip->disk.nlink--;
    c->dir->disk.nlink -= is_directory;
    error = inode_update(ip);
    return error || !is_directory ? error : inode_update(c->dir);
}

int path_unlink(struct inode *cwd, const char *path) {
    struct change c;
    struct inode *ip;
    int error = change_begin(&c, cwd, path);
    if (error) return error;
    if (same_name(c.name, dot) || same_name(c.name, dot_dot)) error = -EPERM;
    if (error == 0 && c.number == c.dir->number) error = -EIO;
    if (error == 0) error = c.number != 0 ? inode_open(c.number, &ip) : -ENOENT;
    if (error) return change_end(&c, NULL, error);
    inode_lock(ip);
    error = unlink_locked(&c, ip);
    bool is_small = ip->disk.size <= TRANSACTION_BYTES;
    inode_unlock(ip);
    error = change_end(&c, is_small ? ip : NULL, error);
    if (!is_small) inode_put(ip);
    return error;
}
