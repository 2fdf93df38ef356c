#include "fs_machine.h"

#include <sys/mman.h>

#include "arch/address.h"
#include "dev/console.h"
#include "dev/uart.h"

struct inode *root;

// ---- The machine ----

int console_read(struct spans *to) {
    spans_fill(to, "line\n", 5);
    return 5;
}

int console_write(struct spans *from) {
    return (int)from->size;
}
uint64_t uart_written(void) {
    return 0;
}

int mount_disk(size_t ram) {
    host_ram_init(ram);
    frame_init(HOST_RAM_BASE, HOST_RAM_BASE + ram);
    fs_init(ram);
    frame_start(0, 0, false);
    return fs_mount(&root);
}

void start(uint32_t blocks, uint32_t inodes, uint32_t log_blocks) {
    disk_format(blocks, inodes, log_blocks);
    CHECK_EQUAL(0, mount_disk(MACHINE_RAM));
}

void check_disk(void) {
    CHECK(disk_is_consistent(disk_bytes));
}

void run_tasks(unsigned count, void (*body)(void *), uint64_t seed) {
    host_random_seed(seed);
    host_yields = true;
    for (unsigned t = 0; t < count; t++)
        host_task_start(body, (void *)(uintptr_t)t);
    host_task_wait_all();
    host_yields = false;
}

void *shared_memory(size_t bytes) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(memory != MAP_FAILED);
    return memory;
}

struct memstat frame_counts(void) {
    struct memstat m;
    frame_stat(&m);
    return m;
}

// ---- Files ----

struct file *open_file(const char *path, unsigned flags) {
    struct file *f;
    int error = file_open(root, path, flags, &f);
    if (error)
        test_fail(__FILE__, __LINE__, "expected %s to open, saw error %d", path, error);
    return f;
}

struct inode *find_inode(const char *path) {
    struct inode *ip;
    int error = path_lookup(root, path, &ip);
    if (error)
        test_fail(__FILE__, __LINE__, "expected %s to be found, saw error %d", path, error);
    return ip;
}

int open_and_close(const char *path, unsigned flags) {
    struct file *f;
    int error = file_open(root, path, flags, &f);
    if (error == 0)
        file_put(f);
    return error;
}

int64_t write_bytes(struct file *f, const void *from, size_t n) {
    struct spans s = spans_of((void *)from, n);
    return file_write(f, &s);
}

int64_t read_bytes(struct file *f, void *to, size_t n) {
    struct spans s = spans_of(to, n);
    return file_read(f, &s);
}

void write_file(const char *path, const void *from, size_t n) {
    struct file *f = open_file(path, O_CREATE | O_RDWR | O_TRUNC);
    int64_t written = write_bytes(f, from, n);
    if (written != (int64_t)n) {
        test_fail(__FILE__, __LINE__, "expected to write %zu bytes to %s, saw %lld", n, path,
                  (long long)written);
    }
    file_put(f);
}

void fill(char *p, size_t n, uint32_t seed) {
    for (size_t i = 0; i < n; i++)
        p[i] = (char)((i * 7 + i / 4096 + seed * 31) ^ (i >> 8));
}

void check_file(const char *path, size_t n, uint32_t seed) {
    char *wanted = malloc(n + 1), *seen = malloc(n + 1);
    struct file *f = open_file(path, O_RDONLY);
    fill(wanted, n, seed);
    CHECK_EQUAL(n, read_bytes(f, seen, n + 1));
    CHECK_EQUAL(0, memcmp(wanted, seen, n));
    file_put(f);
    free(wanted);
    free(seen);
}

struct stat stat_of(const char *path) {
    struct file *f = open_file(path, O_RDONLY);
    struct stat s;
    CHECK_EQUAL(0, file_stat(f, &s));
    file_put(f);
    return s;
}

int make(const char *path, enum file_type type) {
    struct inode *ip;
    int error = path_create(root, path, type, type == T_DEVICE, 0, &ip);
    if (error == 0)
        inode_put(ip);
    return error;
}

uint32_t number_of(const char *path) {
    struct inode *ip = find_inode(path);
    uint32_t number = ip->number;
    inode_put(ip);
    return number;
}

void set_entry(const char *directory, unsigned index, const char *name, uint32_t number) {
    struct block *b;
    struct inode *dir = find_inode(directory);
    struct dirent e = {.inum = (uint16_t)number};
    memcpy(e.name, name, strlen(name));
    CHECK_EQUAL(0, log_begin());
    inode_lock(dir);
    CHECK_EQUAL(0, inode_block(dir, 0, &b));
    ((struct dirent *)b->data)[index] = e;
    log_write(b);
    nameindex_forget(&dir->names); // as if the directory had not been read yet
    inode_unlock(dir);
    CHECK_EQUAL(0, log_end());
    inode_put(dir);
}
