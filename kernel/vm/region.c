// The backings of private memory: zeroes, and files.
#include "vm/region.h"
#include "abi/errno.h"
#include "arch/address.h"
#include "arch/mmu.h"
#include "fs/inode.h"
#include "lib/string.h"
#include "mem/frame.h"

static int zero_get_page(const struct region *r, vaddr_t va, struct frame **frame) {
    (void)va;
    *frame = r->promised ? frame_alloc_promised(FRAME_USER) : frame_alloc(FRAME_USER);
    if (*frame != NULL) memset(frame_ptr(*frame), 0, PAGE_SIZE);
    return *frame != NULL ? 0 : -ENOMEM;
}

const struct backing backing_zero = {.name = "zero", .get_page = zero_get_page};

// A frame of its own with what the file has for the page, and zeroes behind.
static int copy_page(struct inode *ip, uint64_t offset, size_t size, struct frame **frame) {
    struct frame *f = frame_alloc(FRAME_KERNEL); // while this sleeps no entry names it
    if (f == NULL) return -ENOMEM;
    char *to = frame_ptr(f);
    inode_lock(ip);
    uint64_t left = offset < ip->disk.size ? ip->disk.size - offset : size;
    if (size > left) size = left;
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
    if (offset % PAGE_SIZE == 0 && size == PAGE_SIZE) error = inode_page(ip, offset, frame);
    if (error == -ENOMEM) // the page cannot be the cache's, or too many are
        error = copy_page(ip, offset, size, frame);
    if (error == 0 && r->protection & PROT_EXEC) mmu_flush_instructions();
    return error;
}

static void file_get(void *object) { inode_get(object); }
static void file_put(void *object) { inode_put(object); }

const struct backing backing_file = {.name = "file", .get_page = file_get_page, .get = file_get, .put = file_put};
