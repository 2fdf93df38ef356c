// Open files. The inode's mutex also guards the offset, so that those who share the file each get a
// part of their own.
#include "fs/file.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "dev/console.h"
#include "fs/log.h"
#include "fs/path.h"
#include "fs/pipe.h"
#include "mem/pool.h"

enum { FILES_MAX = 1024 };

// Locks: [I] never changes, [m] the inode's mutex.
struct file {
    uint32_t references;      // atomic
    bool can_read, can_write; // [I]
    struct pipe *pipe;        // [I] exactly one of these two is set
    struct inode *inode;      // [I]
    uint64_t offset;          // [m]
};

static struct pool pool;

void file_init(void)
{
    pool_init(&pool, sizeof(struct file), FILES_MAX);
}

static struct file *file_alloc(bool can_read, bool can_write)
{
    struct file *f = pool_alloc(&pool);
    if (f != NULL)
        *f = (struct file){.references = 1, .can_read = can_read, .can_write = can_write};
    return f;
}

// Stores in *ip what the path names, made and emptied as the flags ask for.
static int inode_for(struct inode *cwd, const char *path, unsigned flags, struct inode **ip)
{
    int error = flags & O_CREATE ? path_create(cwd, path, T_FILE, 0, 0, ip) : path_lookup(cwd, path, ip);
    if (error)
        return error;
    if ((*ip)->disk.type == T_DIR && flags != O_RDONLY)
        error = -EISDIR;
    else if ((*ip)->disk.type == T_FILE && flags & O_TRUNC)
        error = inode_truncate(*ip);
    if (error)
        inode_put(*ip);
    return error;
}

int file_open(struct inode *cwd, const char *path, unsigned flags, struct file **opened)
{
    struct file *f = *opened = file_alloc(!(flags & O_WRONLY), flags & (O_WRONLY | O_RDWR));
    if (f == NULL)
        return -ENFILE;
    int error = inode_for(cwd, path, flags, &f->inode);
    if (error)
        pool_free(&pool, f);
    return error;
}

int file_open_pipe(struct file **read_end, struct file **write_end)
{
    struct file *reader = *read_end = file_alloc(true, false);
    struct file *writer = *write_end = file_alloc(false, true);
    bool enough = reader != NULL && writer != NULL;
    struct pipe *p = enough ? pipe_alloc() : NULL;
    if (p != NULL) {
        reader->pipe = writer->pipe = p;
        return 0;
    }
    if (reader != NULL)
        pool_free(&pool, reader);
    if (writer != NULL)
        pool_free(&pool, writer);
    return enough ? -ENOMEM : -ENFILE;
}

struct file *file_get(struct file *f)
{
    __atomic_fetch_add(&f->references, 1, __ATOMIC_RELAXED);
    return f;
}

void file_put(struct file *f)
{
    if (__atomic_fetch_sub(&f->references, 1, __ATOMIC_ACQ_REL) > 1)
        return;
    if (f->inode != NULL)
        inode_put(f->inode);
    else
        pipe_close(f->pipe, f->can_write ? PIPE_WRITER : PIPE_READER);
    pool_free(&pool, f);
}

int64_t file_read(struct file *f, struct spans *to)
{
    struct inode *ip = f->inode;
    if (!f->can_read)
        return -EBADF;
    if (ip == NULL)
        return pipe_read(f->pipe, to);
    if (ip->disk.type == T_DEVICE)
        return ip->disk.major == DEVICE_CONSOLE ? console_read(to) : -ENXIO;
    int64_t done = 0, n = 0, wanted = 0;
    inode_lock(ip);
    while (to->size > 0 && n == wanted) {
        struct span piece = spans_take(to, to->size);
        wanted = (int64_t)piece.size;
        n = inode_read(ip, f->offset, piece.base, piece.size);
        done += n > 0 ? n : 0;
        f->offset += n > 0 ? (uint64_t)n : 0;
    }
    inode_unlock(ip);
    return done > 0 ? done : n;
}

// Writes as much as fits into a transaction.
static int64_t write_some(struct file *f, struct spans *from)
{
    int64_t done = 0, n = 0, wanted = 0;
    int error = log_begin();
    if (error)
        return error;
    inode_lock(f->inode);
    while (from->size > 0 && done < TRANSACTION_BYTES && n == wanted) {
        struct span piece = spans_take(from, TRANSACTION_BYTES - (size_t)done);
        wanted = (int64_t)piece.size;
        n = inode_write(f->inode, f->offset, piece.base, piece.size);
        done += n > 0 ? n : 0;
        f->offset += n > 0 ? (uint64_t)n : 0;
    }
    inode_unlock(f->inode);
    error = log_end();
    return error ? error : done > 0 ? done : n;
}

int64_t file_write(struct file *f, struct spans *from)
{
    struct inode *ip = f->inode;
    if (!f->can_write)
        return -EBADF;
    if (ip == NULL)
        return pipe_write(f->pipe, from);
    if (ip->disk.type == T_DEVICE)
        return ip->disk.major == DEVICE_CONSOLE ? console_write(from) : -ENXIO;
    int64_t done = 0, n = TRANSACTION_BYTES;
    while (from->size > 0 && n == TRANSACTION_BYTES) {
        n = write_some(f, from);
        done += n > 0 ? n : 0;
    }
    return done > 0 || n > 0 ? done : n;
}

int file_stat(struct file *f, struct stat *stat)
{
    if (f->inode == NULL)
        return -EBADF;
    inode_stat(f->inode, stat);
    return 0;
}
