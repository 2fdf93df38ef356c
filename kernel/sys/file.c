// System calls about files.
#include "sys/syscall.h"

#include "abi/errno.h"
#include "fs/path.h"
#include "proc/proc.h"
#include "vm/usermem.h"

static struct file *file_of(int fd) { return fd >= 0 && fd < OPEN_MAX ? current_proc()->files[fd] : NULL; }

static int free_descriptor(void) {
    int fd = 0;
    while (fd < OPEN_MAX && current_proc()->files[fd] != NULL) fd++;
    return fd < OPEN_MAX ? fd : -EMFILE;
}

// Gives f the lowest free descriptor, or drops it.
static int install(struct file *f) {
    int fd = free_descriptor();
    if (fd < 0)
        file_put(f);
    else
        current_proc()->files[fd] = f;
    return fd;
}

int64_t sys_open(const struct registers *u) {
    char path[PATH_BYTES];
    struct file *f;
    int error = syscall_path(path, u->a0);
    if (error == 0) error = free_descriptor() < 0 ? -EMFILE : 0; // before anything is created
    if (error == 0) error = file_open(current_proc()->cwd, path, (unsigned)u->a1, &f);
    return error ? error : install(f);
}

int64_t sys_close(const struct registers *u) {
    int fd = (int)u->a0;
    struct file *f = file_of(fd);
    if (f == NULL) return -EBADF;
    current_proc()->files[fd] = NULL;
    file_put(f);
    return 0;
}

int64_t sys_dup(const struct registers *u) {
    struct file *f = file_of((int)u->a0);
    return f == NULL ? -EBADF : install(file_get(f));
}

// Moves n bytes between f and user memory, as much at a time as spans hold. A buffer with a bad page
// is good as long as the data does not reach it (read), or not at all (write).
static int64_t transfer(struct file *f, vaddr_t buffer, size_t n, enum access access,
                        int64_t (*move)(struct file *f, struct spans *s)) {
    size_t done = 0;
    int64_t moved = 0;
    do {
        struct spans s;
        int error = user_spans(current_proc()->as, buffer + done, n - done, access, &s);
        size_t size = s.size;
        bool cut = s.count < SPANS_MAX && size < n - done;
        if (error || (cut && access == ACCESS_READ)) return error ? error : -EFAULT;
        moved = move(f, &s);
        if (moved < 0) return done > 0 ? (int64_t)done : moved;
        if (cut && (size_t)moved == size) return -EFAULT;
        done += (size_t)moved;
        if ((size_t)moved < size) break;
    } while (done < n);
    return (int64_t)done;
}

int64_t sys_read(const struct registers *u) {
    struct file *f = file_of((int)u->a0);
    int n = (int)u->a2;
    if (f == NULL) return -EBADF;
    return n < 0 ? -EINVAL : transfer(f, u->a1, (size_t)n, ACCESS_WRITE, file_read);
}

int64_t sys_write(const struct registers *u) {
    struct file *f = file_of((int)u->a0);
    int n = (int)u->a2;
    if (f == NULL) return -EBADF;
    return n < 0 ? -EINVAL : transfer(f, u->a1, (size_t)n, ACCESS_READ, file_write);
}

int64_t sys_fstat(const struct registers *u) {
    struct file *f = file_of((int)u->a0);
    struct stat stat = {0};
    if (f == NULL) return -EBADF;
    int error = file_stat(f, &stat);
    return error ? error : user_copy_out(current_proc()->as, u->a1, &stat, sizeof stat);
}

int64_t sys_pipe(const struct registers *u) {
    struct file *ends[2];
    struct spans s;
    int error = user_spans(current_proc()->as, u->a0, sizeof(int[2]), ACCESS_WRITE, &s);
    if (error || s.size < sizeof(int[2])) return error ? error : -EFAULT;
    error = file_open_pipe(&ends[0], &ends[1]);
    if (error) return error;
    int fds[2] = {install(ends[0]), install(ends[1])};
    if (fds[1] < 0) {
        if (fds[0] >= 0) {
            current_proc()->files[fds[0]] = NULL;
            file_put(ends[0]);
        }
        return -EMFILE;
    }
    spans_fill(&s, fds, sizeof fds);
    return 0;
}

int64_t sys_chdir(const struct registers *u) {
    struct proc *self = current_proc();
    char path[PATH_BYTES];
    struct inode *ip;
    int error = syscall_path(path, u->a0);
    if (error == 0) error = path_lookup(self->cwd, path, &ip);
    if (error) return error;
    inode_lock(ip);
    bool is_directory = ip->disk.type == T_DIR;
    inode_unlock(ip);
    struct inode *dropped = is_directory ? self->cwd : ip;
    if (is_directory) self->cwd = ip;
    inode_put(dropped);
    return is_directory ? 0 : -ENOTDIR;
}

static int64_t create(vaddr_t address, enum file_type type, uint64_t major, uint64_t minor) {
    char path[PATH_BYTES];
    struct inode *ip;
    int error = syscall_path(path, address);
    if (error == 0) error = path_create(current_proc()->cwd, path, type, (uint16_t)major, (uint16_t)minor, &ip);
    if (error) return error;
    inode_put(ip);
    return 0;
}

int64_t sys_mkdir(const struct registers *u) { return create(u->a0, T_DIR, 0, 0); }

int64_t sys_mknod(const struct registers *u) { return create(u->a0, T_DEVICE, u->a1, u->a2); }

int64_t sys_unlink(const struct registers *u) {
    char path[PATH_BYTES];
    int error = syscall_path(path, u->a0);
    return error ? error : path_unlink(current_proc()->cwd, path);
}

int64_t sys_link(const struct registers *u) {
    char old_path[PATH_BYTES], new_path[PATH_BYTES];
    int error = syscall_path(old_path, u->a0);
    if (error == 0) error = syscall_path(new_path, u->a1);
    return error ? error : path_link(current_proc()->cwd, old_path, new_path);
}
