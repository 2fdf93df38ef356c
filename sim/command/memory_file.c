// Memory is compared with a copy of it, which has the same pages until one is written.
#include "command/memory_file.h"
#include "cpu/fast.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static uint8_t *file;
static struct paged shown; // what is in the file

bool memory_file_open(const char *name, uint64_t bytes) {
    struct stat status;
    int fd = open(name, O_RDWR);
    bool is_sized = fd >= 0 && fstat(fd, &status) == 0 &&
                    ((uint64_t)status.st_size >= bytes || ftruncate(fd, bytes) == 0);
    if (is_sized)
        file = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return is_sized && file != MAP_FAILED;
}

bool memory_file_update(struct machine *m) {
    const struct paged *memory = &m->system.bus.memory;
    struct paged now;
    if (shown.groups == NULL && !paged_init(&shown, paged_bytes(memory)))
        return false;
    if (!paged_copy(&now, memory))
        return false;
    uint64_t page = paged_next_difference(&now, &shown, 0);
    for (; page < now.page_count; page = paged_next_difference(&now, &shown, page + 1))
        memcpy(file + page * PAGE_BYTES, paged_read(&now, page), PAGE_BYTES);
    paged_destroy(&shown);
    shown = now;
    fast_forget_all(&m->system); // no page may be written without being copied first
    return true;
}
