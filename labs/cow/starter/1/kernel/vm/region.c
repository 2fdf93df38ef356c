// The backings: zeroes and files, private and shared.
#include "vm/region.h"
#include "abi/errno.h"
#include "arch/address.h"
#include "fs/inode.h"
#include "fs/log.h"
#include "lib/string.h"
#include "sync/spinlock.h"
#include "vm/addrspace.h"

static int zero_get_page(const struct region *r, vaddr_t va, struct frame **frame) {
    *frame = r->promised ? frame_alloc_promised(FRAME_USER) : frame_alloc(FRAME_USER);
    if (*frame != NULL)
        memset(frame_ptr(*frame), 0, PAGE_SIZE);
    return *frame != NULL ? 0 : -ENOMEM;
}

const struct backing backing_zero = {.name = "zero", .get_page = zero_get_page};

// A frame of its own with what the file has for the page, and zeroes behind.
static int copy_page(struct inode *ip, uint64_t offset, size_t size, struct frame **frame) {
    struct frame *f = frame_alloc(FRAME_KERNEL); // while this sleeps no entry names it
    if (f == NULL)
        return -ENOMEM;
    char *to = frame_ptr(f);
    inode_lock(ip);
    uint64_t left = offset < ip->disk.size ? ip->disk.size - offset : size;
    if (size > left)
        size = left;
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
    size_t size = r->content_end - va < PAGE_SIZE ? r->content_end - va : PAGE_SIZE;
    int error = -ENOMEM;
    bool is_data =
        r->protection & PROT_WRITE; // until there is copy-on-write, its pages are copied at once
    if (offset % PAGE_SIZE == 0 && size == PAGE_SIZE && !is_data)
        error = inode_page(ip, offset, false, frame);
    if (error == -ENOMEM) // the page cannot be the cache's, or too many are
        error = copy_page(ip, offset, size, frame);
    return error;
}

static void file_get(void *object) {
    inode_get(object);
}
static void file_put(void *object) {
    inode_put(object);
}

const struct backing backing_file = {
    .name = "file", .get_page = file_get_page, .get = file_get, .put = file_put};

static struct spinlock shared_lock = SPINLOCK(RANK_SHARED); // page tables of shared memory

// Whoever touches a page first puts it into the object's own page table, where all others find it.
static int shared_get_page(const struct region *r, vaddr_t va, struct frame **frame) {
    struct addrspace *object = r->object;
    struct mapping m = {.rights = PROT_READ};
    int error = 0;
    spin_lock(&shared_lock);
    if (!pt_lookup(&object->pt, va + r->offset, &m)) {
        error = zero_get_page(object->regions, va, &m.frame);
        if (error == 0)
            error = pt_map(&object->pt, va + r->offset, m); // does not fail: the tables are there
    }
    if (error == 0)
        frame_get(m.frame);
    spin_unlock(&shared_lock);
    *frame = m.frame;
    return error;
}

static void shared_get(void *object) {
    addrspace_get(object);
}
static void shared_put(void *object) {
    addrspace_put(object);
}

const struct backing backing_shared = {.name = "shared",
                                       .shared = true,
                                       .get_page = shared_get_page,
                                       .get = shared_get,
                                       .put = shared_put};

static int shared_file_get_page(const struct region *r, vaddr_t va, struct frame **frame) {
    return inode_page(r->object, va + r->offset, true, frame);
}

static void shared_file_get(void *object) {
    inode_count_mapping(inode_get(object), 1);
}

static void shared_file_put(void *object) {
    inode_count_mapping(object, -1);
    inode_put(object);
}

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
                                            .shared = true,
                                            .tracks_writes = true,
                                            .get_page = shared_file_get_page,
                                            .get = shared_file_get,
                                            .put = shared_file_put,
                                            .reserve = cache_reserve,
                                            .write_back = shared_file_write_back};
