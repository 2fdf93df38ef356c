// A mock of files, their cache and the log, for tests of mem and vm.
#include "file_mock.h"

#include <string.h>

#include "abi/errno.h"
#include "arch/address.h"
#include "fs/file.h"
#include "fs/log.h"
#include "test.h"

enum { FILES_MAX = 4, FILE_PAGES_MAX = 32 };

struct file {
    struct inode inode; // first
    bool locked;
    size_t bytes;
    struct frame *pages[FILE_PAGES_MAX];
    bool is_saved[FILE_PAGES_MAX]; // the disk has saved[]
    uint8_t saved[FILE_PAGES_MAX][PAGE_SIZE];
};

int file_error;
size_t file_mapped_max;
unsigned file_saves, file_transactions;
int log_error;

static size_t reserved, saves_in_transaction;
static bool in_transaction;
static struct file files[FILES_MAX];
static unsigned file_count;
static char *cache_pages;
static size_t cache_used, adopted;

void file_cache_init(void) {
    cache_pages = frame_set_aside((size_t)FILE_FRAMES * PAGE_SIZE);
    file_mapped_max = FILE_FRAMES;
}

size_t file_adopted(void) {
    return adopted;
}

// ---- Files ----

uint8_t file_byte(uint64_t offset) {
    return (uint8_t)(offset * 31 + offset / PAGE_SIZE * 7 + 5);
}

struct inode *file_make(size_t bytes) {
    CHECK(file_count < FILES_MAX && bytes <= FILE_PAGES_MAX * (size_t)PAGE_SIZE);
    struct file *file = &files[file_count++];
    file->bytes = bytes;
    file->inode.references = 1;
    return &file->inode;
}

static struct file *file_of(const struct inode *ip) {
    CHECK(ip->references > 0 && may_sleep());
    return (struct file *)ip;
}

void file_cut(struct inode *ip, size_t bytes) {
    file_of(ip)->bytes = bytes;
}

struct inode *inode_get(struct inode *ip) {
    file_of(ip);
    ip->references++;
    return ip;
}

void inode_put(struct inode *ip) {
    CHECK(!file_of(ip)->locked);
    ip->references--;
}

void inode_lock(struct inode *ip) {
    CHECK(!file_of(ip)->locked);
    file_of(ip)->locked = true;
}

void inode_lock_shared(struct inode *ip) {
    inode_lock(ip);
}

void inode_unlock(struct inode *ip) {
    CHECK(file_of(ip)->locked);
    file_of(ip)->locked = false;
}

static uint8_t byte_at(const struct file *file, uint64_t offset) {
    const struct frame *page = file->pages[offset / PAGE_SIZE];
    return page != NULL ? ((uint8_t *)frame_ptr(page))[offset % PAGE_SIZE] : file_byte(offset);
}

static void fill(const struct file *file, uint64_t offset, char *to, size_t n) {
    for (size_t i = 0; i < n; i++)
        to[i] = (char)(offset + i < file->bytes ? byte_at(file, offset + i) : 0);
}

int64_t inode_read(struct inode *ip, uint64_t offset, void *to, size_t n) {
    struct file *file = file_of(ip);
    CHECK(file->locked);
    if (file_error)
        return file_error;
    size_t rest = offset < file->bytes ? file->bytes - offset : 0;
    n = n < rest ? n : rest;
    fill(file, offset, to, n);
    return (int64_t)n;
}

// Stores in *frame the frame of the file's page, without a reference.
static int find_page(struct inode *ip, uint64_t offset, struct frame **frame) {
    struct file *file = file_of(ip);
    CHECK(!file->locked && offset % PAGE_SIZE == 0);
    struct frame **page = &file->pages[offset / PAGE_SIZE];
    if (file_error || offset >= file->bytes)
        return file_error ? file_error : -EFAULT;
    if (*page == NULL) {
        CHECK(cache_used < FILE_FRAMES);
        struct frame *new = frame_adopt(cache_pages + cache_used++ * PAGE_SIZE, FRAME_CACHE);
        adopted++;
        fill(file, offset, frame_ptr(new), PAGE_SIZE);
        *page = new;
    }
    *frame = *page;
    return 0;
}

int inode_page(struct inode *ip, uint64_t offset, struct frame **frame) {
    int error = find_page(ip, offset, frame);
    if (error)
        return error;
    if (frame_mapped_cache_count() >= file_mapped_max)
        return -ENOMEM;
    frame_get(*frame);
    return 0;
}

int inode_page_shared(struct inode *ip, uint64_t offset, struct frame **frame) {
    int error = find_page(ip, offset, frame);
    if (error)
        return error;
    CHECK(reserved > 0);
    frame_get(*frame);
    return 0;
}

void file_forget(struct inode *ip, size_t page) {
    struct file *file = file_of(ip);
    struct frame *old = file->pages[page], *new = frame_alloc(FRAME_CACHE);
    CHECK(old != NULL && new != NULL);
    fill(file, page * PAGE_SIZE, frame_ptr(new), PAGE_SIZE);
    file->pages[page] = new;
    frame_put(old);
}

int cache_reserve(int64_t pages) {
    CHECK(pages >= 0 || (size_t)-pages <= reserved);
    if (pages > 0 && reserved + (size_t)pages > FILE_FRAMES / 4)
        return -ENOMEM;
    reserved += (size_t)pages;
    return 0;
}

size_t file_reserved(void) {
    return reserved;
}

void inode_count_mapping(struct inode *ip, int change) {
    file_of(ip);
    ip->mappings += change;
    CHECK(ip->mappings >= 0);
}

int log_begin(void) {
    CHECK(may_sleep() && !in_transaction);
    if (log_error)
        return log_error;
    in_transaction = true;
    saves_in_transaction = 0;
    return 0;
}

int log_end(void) {
    CHECK(in_transaction && may_sleep());
    in_transaction = false;
    file_transactions += saves_in_transaction > 0;
    return 0;
}

void inode_write_page(struct inode *ip, uint64_t offset, const struct frame *frame) {
    struct file *file = file_of(ip);
    CHECK(in_transaction && ++saves_in_transaction <= TRANSACTION_BYTES / PAGE_SIZE);
    CHECK(!file->locked && offset % PAGE_SIZE == 0);
    if (offset >= file->bytes || file->pages[offset / PAGE_SIZE] != frame)
        return;
    memcpy(file->saved[offset / PAGE_SIZE], frame_ptr(frame), PAGE_SIZE);
    file->is_saved[offset / PAGE_SIZE] = true;
    file_saves++;
}

uint8_t file_saved(const struct inode *ip, uint64_t offset) {
    const struct file *file = file_of(ip);
    return file->is_saved[offset / PAGE_SIZE] ? file->saved[offset / PAGE_SIZE][offset % PAGE_SIZE]
                                              : file_byte(offset);
}

struct frame *file_frame(const struct inode *ip, size_t page) {
    return file_of(ip)->pages[page];
}

// An open file is the file itself here, and may be mapped in any way.
int file_map(struct file *f, bool writable, struct inode **ip) {
    *ip = &f->inode;
    return 0;
}

#define DEMAND_EQUAL(expected, actual) \
    ((actual) == (expected) ? (void)0 \
                            : test_fail(test_file, test_line, "expected %s = %d, saw %ld", \
                                        #actual, expected, (long)(actual)))

void file_check_all_back(const char *test_file, int test_line) {
    DEMAND_EQUAL(0, frame_mapped_cache_count());
    DEMAND_EQUAL(0, reserved);
    DEMAND_EQUAL(false, in_transaction);
    for (unsigned i = 0; i < file_count; i++) {
        DEMAND_EQUAL(0, files[i].inode.mappings);
        DEMAND_EQUAL(1, files[i].inode.references);
    }
}
