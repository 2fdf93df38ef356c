// Open files. Tasks that share an open file never read or write the same part of it: its offset
// changes only while the inode is locked, by one task alone if others could use the file, too.
#include "fs/file.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "arch/address.h"
#include "dev/console.h"
#include "dev/uart.h"
#include "fs/log.h"
#include "fs/path.h"
#include "fs/pipe.h"
#include "lib/panic.h"
#include "mem/pool.h"

enum { FILES_MAX = 1024 };

// Locks: [I] never changes, [m] the inode's mutex, which a task may share if nobody else has the
// file.
struct file {
    uint32_t references;      // atomic
    bool can_read, can_write; // [I]
    struct pipe *pipe;        // [I] exactly one of these two is set
    struct inode *inode;      // [I]
    uint64_t offset;          // [m]
};

static struct pool pool;

void file_init(void) {
    pool_init(&pool, sizeof(struct file), FILES_MAX);
    pipe_init(FILES_MAX); // each has at least one end that is open
}

// ---- Open and close ----

static struct file *file_alloc(bool can_read, bool can_write) {
    struct file *f = pool_alloc(&pool);
    if (f == NULL)
        return NULL;
    *f = (struct file){.references = 1, .can_read = can_read, .can_write = can_write};
    return f;
}

struct file *file_get(struct file *f) {
    __atomic_fetch_add(&f->references, 1, __ATOMIC_RELAXED);
    return f;
}

void file_put(struct file *f) {
    uint32_t before = __atomic_fetch_sub(&f->references, 1, __ATOMIC_ACQ_REL);
    assert(before > 0);
    if (before > 1)
        return;
    if (f->inode != NULL)
        inode_put(f->inode);
    else
        pipe_close(f->pipe, f->can_write ? PIPE_WRITER : PIPE_READER);
    pool_free(&pool, f);
}

// Stores in *ip, with a reference, the inode that the path leads to, and makes it if the flags say
// so.
static int find_or_create(struct inode *cwd, const char *path, unsigned flags, struct inode **ip) {
    if (flags & O_CREATE)
        return path_create(cwd, path, T_FILE, 0, 0, ip);
    return path_lookup(cwd, path, ip);
}

// Applies the flags to the inode that is being opened.
static int apply_flags(struct inode *ip, unsigned flags) {
    if (ip->disk.type == T_DIR && flags != O_RDONLY)
        return -EISDIR;
    if (ip->disk.type == T_FILE && flags & O_TRUNC)
        return inode_truncate(ip);
    return 0;
}

int file_open(struct inode *cwd, const char *path, unsigned flags, struct file **opened) {
    *opened = NULL;
    struct file *f = file_alloc(!(flags & O_WRONLY), flags & (O_WRONLY | O_RDWR));
    if (f == NULL)
        return -ENFILE;
    int error = find_or_create(cwd, path, flags, &f->inode);
    if (error) {
        pool_free(&pool, f);
        return error;
    }
    error = apply_flags(f->inode, flags);
    if (error) {
        file_put(f);
        return error;
    }
    *opened = f;
    return 0;
}

int file_open_pipe(struct file **read_end, struct file **write_end) {
    struct file *reader = file_alloc(true, false);
    struct file *writer = file_alloc(false, true);
    bool enough = reader != NULL && writer != NULL;
    struct pipe *p = enough ? pipe_alloc() : NULL;
    if (p != NULL) {
        reader->pipe = writer->pipe = p;
        *read_end = reader;
        *write_end = writer;
        return 0;
    }
    if (reader != NULL)
        pool_free(&pool, reader);
    if (writer != NULL)
        pool_free(&pool, writer);
    return enough ? -ENOMEM : -ENFILE;
}

// ---- Read and write ----

// What follows for inodes is out of line, so that reading and writing a pipe saves no registers.

static __attribute__((noinline)) int64_t read_inode(struct file *f, struct spans *to) {
    bool is_own = __atomic_load_n(&f->references, __ATOMIC_RELAXED) == 1; // as long as we read
    if (is_own)
        inode_lock_shared(f->inode);
    else
        inode_lock(f->inode);
    int64_t n = inode_read_spans(f->inode, f->offset, to);
    if (n > 0)
        f->offset += (uint64_t)n;
    inode_unlock(f->inode);
    return n;
}

int64_t file_read(struct file *f, struct spans *to) {
    if (!f->can_read)
        return -EBADF;
    if (f->inode == NULL)
        return pipe_read(f->pipe, to);
    if (f->inode->disk.type != T_DEVICE)
        return read_inode(f, to);
    return f->inode->disk.major == DEVICE_CONSOLE ? console_read(to) : -ENXIO;
}

// Writes at most TRANSACTION_BYTES in a transaction.
static int64_t write_some(struct file *f, struct spans *from) {
    int error = log_begin();
    if (error)
        return error;
    inode_lock(f->inode);
    int64_t n = inode_write_spans(f->inode, f->offset, from, min(from->size, TRANSACTION_BYTES));
    if (n > 0)
        f->offset += (uint64_t)n;
    inode_unlock(f->inode);
    return log_end() == 0 ? n : -EIO;
}

// Writes in as many transactions as needed, but stops after one that wrote less than it could have.
static __attribute__((noinline)) int64_t write_all(struct file *f, struct spans *from) {
    int64_t done = 0;
    while (from->size > 0) {
        int64_t n = write_some(f, from);
        if (n < 0)
            return done > 0 ? done : n;
        done += n;
        if (n < TRANSACTION_BYTES)
            break;
    }
    return done;
}

int64_t file_write(struct file *f, struct spans *from) {
    if (!f->can_write)
        return -EBADF;
    if (f->inode == NULL)
        return pipe_write(f->pipe, from);
    if (f->inode->disk.type != T_DEVICE)
        return write_all(f, from);
    return f->inode->disk.major == DEVICE_CONSOLE ? console_write(from) : -ENXIO;
}

// ---- Other uses ----

int file_stat(struct file *f, struct stat *stat) {
    if (f->inode == NULL)
        return -EBADF;
    inode_stat(f->inode, stat);
    if (stat->type == T_DEVICE && f->inode->disk.major == DEVICE_CONSOLE)
        stat->size = uart_written();
    return 0;
}

int file_map(struct file *f, bool writable, struct inode **ip) {
    if (f->inode == NULL || f->inode->disk.type != T_FILE)
        return -ENODEV;
    if (!f->can_read || (writable && !f->can_write))
        return -EACCES;
    *ip = f->inode;
    return 0;
}
