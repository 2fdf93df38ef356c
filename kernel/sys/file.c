// System calls about files.
#include "abi/errno.h"
#include "fs/path.h"
#include "proc/proc.h"
#include "sched/schedule.h"
#include "sys/syscall.h"
#include "vm/usermem.h"

// ---- Descriptors ----

// Returns the lowest free descriptor that is not below fd. Errors: -EMFILE.
static int free_descriptor(int fd) {
    while (fd < OPEN_MAX && current_proc()->files[fd] != NULL)
        fd++;
    return fd < OPEN_MAX ? fd : -EMFILE;
}

int64_t sys_open(const struct registers *u) {
    char path[PATH_BYTES];
    struct file *f;
    int error = syscall_path(path, u->a0);
    if (error)
        return error;
    int fd = free_descriptor(0);
    if (fd < 0)
        return fd; // before anything is created
    error = file_open(current_proc()->cwd, path, (unsigned)u->a1, &f);
    if (error)
        return error;
    current_proc()->files[fd] = f;
    return fd;
}

int64_t sys_close(const struct registers *u) {
    int fd = (int)u->a0;
    struct file *f = syscall_file(fd);
    if (f == NULL)
        return -EBADF;
    current_proc()->files[fd] = NULL;
    file_put(f);
    return 0;
}

int64_t sys_dup(const struct registers *u) {
    struct file *f = syscall_file((int)u->a0);
    if (f == NULL)
        return -EBADF;
    int fd = free_descriptor(0);
    if (fd >= 0)
        current_proc()->files[fd] = file_get(f);
    return fd;
}

int64_t sys_pipe(const struct registers *u) {
    struct proc *self = current_proc();
    struct file *ends[2];
    struct spans s;
    int error = user_spans_all(self->as, u->a0, sizeof(int[2]), ACCESS_WRITE, &s);
    if (error)
        return error;
    int read_fd = free_descriptor(0);
    if (read_fd < 0)
        return read_fd;
    int write_fd = free_descriptor(read_fd + 1);
    if (write_fd < 0)
        return write_fd;
    error = file_open_pipe(&ends[0], &ends[1]);
    if (error)
        return error;
    self->files[read_fd] = ends[0];
    self->files[write_fd] = ends[1];
    spans_fill(&s, (int[2]){read_fd, write_fd}, sizeof(int[2]));
    return 0;
}

// ---- Read and write ----

typedef int64_t move_t(struct file *f, struct spans *s);

// Moves a batch, which is as many of the n bytes as a struct spans holds. Stores in *is_whole
// whether the whole batch was moved.
static int64_t move_batch(struct file *f, vaddr_t buffer, size_t n, enum access access,
                          move_t *move, bool *is_whole) {
    struct spans s;
    int error = user_spans(current_proc()->as, buffer, n, access, &s);
    if (error)
        return error;
    size_t size = s.size;
    bool meets_bad_page = s.count < SPANS_MAX && size < n;
    if (meets_bad_page && access == ACCESS_READ)
        return -EFAULT; // a write call, which has moved nothing yet
    int64_t moved = move(f, &s);
    *is_whole = moved == (int64_t)size;
    if (*is_whole && meets_bad_page)
        return -EFAULT; // the data of a read call reaches the bad page
    return moved;
}

// Moves n bytes batch by batch. A write call fails before it moves anything of a batch that
// contains a bad page; a read call only if its data reaches the bad page. Out of line, so that
// moving within a page stays short.
static __attribute__((noinline)) int64_t move_batches(struct file *f, vaddr_t buffer, size_t n,
                                                      enum access access, move_t *move) {
    size_t done = 0;
    do {
        bool is_whole;
        int64_t moved = move_batch(f, buffer + done, n - done, access, move, &is_whole);
        if (moved < 0)
            return done > 0 ? (int64_t)done : moved;
        done += (size_t)moved;
        if (!is_whole || done == n)
            break;
        task_preemption_point();
    } while (!task_is_killed());
    return (int64_t)done;
}

// Moves n bytes that lie in one page.
static int64_t move_in_page(struct file *f, vaddr_t buffer, size_t n, enum access access,
                            move_t *move) {
    struct spans s;
    void *base;
    int error = user_page(current_proc()->as, buffer, access, &base);
    if (error)
        return error;
    spans_init(&s, base, n);
    return move(f, &s);
}

// Moves n bytes between f and user memory.
static int64_t transfer(struct file *f, vaddr_t buffer, size_t n, enum access access,
                        move_t *move) {
    if (n > 0 && n <= PAGE_SIZE - buffer % PAGE_SIZE)
        return move_in_page(f, buffer, n, access, move);
    return move_batches(f, buffer, n, access, move);
}

int64_t sys_read(const struct registers *u) {
    struct file *f = syscall_file((int)u->a0);
    int n = (int)u->a2;
    if (f == NULL)
        return -EBADF;
    return n < 0 ? -EINVAL : transfer(f, u->a1, (size_t)n, ACCESS_WRITE, file_read);
}

int64_t sys_write(const struct registers *u) {
    struct file *f = syscall_file((int)u->a0);
    int n = (int)u->a2;
    if (f == NULL)
        return -EBADF;
    return n < 0 ? -EINVAL : transfer(f, u->a1, (size_t)n, ACCESS_READ, file_write);
}

int64_t sys_fstat(const struct registers *u) {
    struct file *f = syscall_file((int)u->a0);
    struct stat stat = {0};
    if (f == NULL)
        return -EBADF;
    int error = file_stat(f, &stat);
    return error ? error : user_copy_out(current_proc()->as, u->a1, &stat, sizeof stat);
}

// ---- Names ----

int64_t sys_chdir(const struct registers *u) {
    struct proc *self = current_proc();
    char path[PATH_BYTES];
    struct inode *ip;
    int error = syscall_path(path, u->a0);
    if (error == 0)
        error = path_lookup(self->cwd, path, &ip);
    if (error)
        return error;
    if (ip->disk.type != T_DIR) {
        inode_put(ip);
        return -ENOTDIR;
    }
    inode_put(self->cwd);
    self->cwd = ip;
    return 0;
}

static int64_t create(vaddr_t address, enum file_type type, uint64_t major, uint64_t minor) {
    char path[PATH_BYTES];
    struct inode *ip;
    int error = syscall_path(path, address);
    if (error == 0)
        error = path_create(current_proc()->cwd, path, type, (uint16_t)major, (uint16_t)minor, &ip);
    if (error)
        return error;
    inode_put(ip);
    return 0;
}

int64_t sys_mkdir(const struct registers *u) {
    return create(u->a0, T_DIR, 0, 0);
}

int64_t sys_mknod(const struct registers *u) {
    return create(u->a0, T_DEVICE, u->a1, u->a2);
}

int64_t sys_unlink(const struct registers *u) {
    char path[PATH_BYTES];
    int error = syscall_path(path, u->a0);
    return error ? error : path_unlink(current_proc()->cwd, path);
}

int64_t sys_link(const struct registers *u) {
    char old_path[PATH_BYTES], new_path[PATH_BYTES];
    int error = syscall_path(old_path, u->a0);
    if (error == 0)
        error = syscall_path(new_path, u->a1);
    return error ? error : path_link(current_proc()->cwd, old_path, new_path);
}
