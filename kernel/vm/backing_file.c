// Mapped files, private and shared.
#include "vm/backing_file.h"
#include "abi/errno.h"
#include "arch/address.h"
#include "fs/inode.h"
#include "fs/log.h"
#include "lib/string.h"
#include "vm/pagetable.h"

// ---- Private ----

// Stores in *frame a new frame with `size` bytes of the file from `offset` on (fewer at its end),
// and zeroes after them.
static int copy_page(struct inode *ip, uint64_t offset, size_t size, struct frame **frame) {
    struct frame *f = frame_alloc(FRAME_KERNEL); // until it is filled: no entry maps it yet (I1)
    if (f == NULL)
        return -ENOMEM;
    char *to = frame_ptr(f);
    inode_lock_shared(ip);
    if (offset < ip->disk.size)
        size = min(size, ip->disk.size - offset);
    memset(to + size, 0, PAGE_SIZE - size);
    int64_t n = inode_read(ip, offset, to, size);
    inode_unlock(ip);
    frame_set_use(f, FRAME_USER);
    if (n != (int64_t)size) {
        frame_put(f);
        return n < 0 ? (int)n : -EFAULT;
    }
    *frame = f;
    return 0;
}

static int file_get_page(const struct region *r, vaddr_t va, struct frame **frame) {
    struct inode *ip = r->object;
    uint64_t offset = va + r->offset;
    size_t size = min(r->content_end - va, PAGE_SIZE);
    if (offset % PAGE_SIZE == 0 && size == PAGE_SIZE) { // a whole block
        int error = inode_page(ip, offset, frame);
        if (error != -ENOMEM) // too much of the cache is mapped already
            return error;
    }
    return copy_page(ip, offset, size, frame);
}

static void file_get(void *object) {
    inode_get(object);
}

static void file_put(void *object) {
    inode_put(object);
}

const struct backing backing_file = {.name = "file",
                                     .fill_kind = FAULT_FILE,
                                     .maps_file = true,
                                     .get_page = file_get_page,
                                     .get = file_get,
                                     .put = file_put};

// ---- Shared ----

static int shared_file_get_page(const struct region *r, vaddr_t va, struct frame **frame) {
    return inode_page_shared(r->object, va + r->offset, frame);
}

static void shared_file_get(void *object) {
    inode_count_mapping(inode_get(object), 1);
}

static void shared_file_put(void *object) {
    inode_count_mapping(object, -1);
    inode_put(object);
}

// Writes back the dirty pages, which are those that have become writable, in as few transactions as
// possible.
static void shared_file_write_back(const struct region *r, const struct pagetable *pt,
                                   vaddr_t start, vaddr_t end) {
    struct mapping m;
    size_t bytes = 0; // in the open transaction
    for (vaddr_t va = start; pt_next(pt, &va, end, &m); va += PAGE_SIZE) {
        if (!(m.rights & PROT_WRITE))
            continue;
        if (bytes == 0 && log_begin() != 0)
            return;
        inode_write_page(r->object, va + r->offset, m.frame);
        bytes = (bytes + PAGE_SIZE) % TRANSACTION_BYTES;
        if (bytes == 0)
            log_end();
    }
    if (bytes > 0)
        log_end();
}

const struct backing backing_shared_file = {.name = "shared file",
                                            .fill_kind = FAULT_SHARED,
                                            .shared = true,
                                            .tracks_writes = true,
                                            .maps_file = true,
                                            .get_page = shared_file_get_page,
                                            .get = shared_file_get,
                                            .put = shared_file_put,
                                            .reserve = cache_reserve,
                                            .write_back = shared_file_write_back};
