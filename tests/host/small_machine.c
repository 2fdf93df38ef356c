// A small machine for tests of mem and vm.
#include "small_machine.h"

#include <string.h>

#include "arch/mmu.h"
#include "arch/pte.h"
#include "fs/log.h"
#include "sched/stop.h"
#include "vm/pagetable.h"

enum {
    FILES_MAX = 4,
    FILE_PAGES_MAX = 32,
    TLB_ENTRIES = 1024,
    FRAMES_MAX = MACHINE_RAM / PAGE_SIZE
};

struct file {
    struct inode inode; // first
    bool locked;
    size_t bytes;
    struct frame *pages[FILE_PAGES_MAX];
    bool is_saved[FILE_PAGES_MAX]; // the disk has saved[]
    uint8_t saved[FILE_PAGES_MAX][PAGE_SIZE];
};

// Entries of Sv39 (privileged specification, 4.4), written down again: the tests check the
// kernel's.
enum { V = 1, R = 2, W = 4, X = 8, U = 16, G = 32, A = 64, D = 128, MARK = 256 };

struct tlb_entry {
    bool valid;
    vaddr_t page;
    uint64_t entry;
};

unsigned hart_instruction_flushes;
void (*hart_meanwhile)(void);
int file_error;
size_t file_mapped_max;
unsigned file_saves, file_transactions;
int log_error;

static size_t reserved, saves_in_transaction;
static bool in_transaction;
static uint64_t *kernel_root;
static struct tlb_entry tlb[TLB_ENTRIES];
static struct file files[FILES_MAX];
static unsigned file_count;
static char *cache_pages;
static size_t cache_used, adopted;
static struct frame *held[FRAMES_MAX];
static size_t held_count;

// ---- The hart ----

void mmu_flush(void) {
    memset(tlb, 0, sizeof tlb);
}

void mmu_switch(uint64_t satp) {
    (void)satp;
    mmu_flush();
}

void mmu_flush_page(vaddr_t va) {
    struct tlb_entry *t = &tlb[va / PAGE_SIZE % TLB_ENTRIES];
    if (t->page == va / PAGE_SIZE)
        t->valid = false;
    void (*meanwhile)(void) = hart_meanwhile;
    hart_meanwhile = NULL;
    if (meanwhile != NULL)
        meanwhile();
}

void mmu_flush_instructions(void) {
    hart_instruction_flushes++;
}

static bool others_are_stopped;

void sched_stop_others(void) {
    CHECK(may_sleep() && !others_are_stopped);
    others_are_stopped = true;
}

void sched_resume_others(void) {
    CHECK(others_are_stopped);
    others_are_stopped = false;
}

bool sched_is_stopped(void) {
    return others_are_stopped;
}

void hart_leave(void) {
    thread_self()->satp = 0;
    mmu_flush();
}

static uint64_t *table_at(uint64_t entry) {
    return phys_to_ptr(entry >> 10 << 12);
}

// The leaf entry for va in the tree; 0: none.
static uint64_t walk(const uint64_t *table, vaddr_t va) {
    for (int level = 2;; level--) {
        uint64_t entry = table[va >> (12 + 9 * level) & 511];
        if (!(entry & V))
            return 0;
        if (entry & (R | W | X)) {
            CHECK(level == 0); // this kernel maps programs page by page
            return entry;
        }
        CHECK(level > 0 && !(entry & (U | A | D))); // reserved in entries that point to tables
        table = table_at(entry);
    }
}

static struct tlb_entry *translate(vaddr_t va) {
    struct tlb_entry *t = &tlb[va / PAGE_SIZE % TLB_ENTRIES];
    if (t->valid && t->page == va / PAGE_SIZE)
        return t;
    uint64_t entry = walk(table_at(thread_self()->satp << 20 >> 10), va);
    *t = (struct tlb_entry){entry != 0, va / PAGE_SIZE, entry};
    return t;
}

// The byte at va if the entry allows the access; NULL: page fault.
static uint8_t *translate_access(vaddr_t va, enum access access) {
    static const uint64_t needed[] = {[ACCESS_READ] = V | R | U | A,
                                      [ACCESS_WRITE] = V | R | W | U | A | D,
                                      [ACCESS_EXEC] = V | X | U | A};
    struct tlb_entry *t = translate(va);
    if (!t->valid || (t->entry & needed[access]) != needed[access])
        return NULL;
    return (uint8_t *)table_at(t->entry) + va % PAGE_SIZE;
}

static int hart_access(struct addrspace *as, vaddr_t va, enum access access, uint8_t **byte) {
    CHECK_EQUAL(mmu_satp(pt_phys(&as->pt)), thread_self()->satp);
    *byte = va < USER_END ? translate_access(va, access) : NULL;
    if (*byte != NULL)
        return 0;
    int error = vm_fault(as, va, access);
    if (error)
        return error;
    *byte = translate_access(va, access);
    CHECK(*byte != NULL); // one fault is enough
    return 0;
}

int hart_load(struct addrspace *as, vaddr_t va, uint8_t *byte) {
    uint8_t *at;
    int error = hart_access(as, va, ACCESS_READ, &at);
    if (error == 0)
        *byte = *at;
    return error;
}

int hart_store(struct addrspace *as, vaddr_t va, uint8_t byte) {
    uint8_t *at;
    int error = hart_access(as, va, ACCESS_WRITE, &at);
    if (error == 0)
        *at = byte;
    return error;
}

int hart_fetch(struct addrspace *as, vaddr_t va) {
    uint8_t *at;
    return hart_access(as, va, ACCESS_EXEC, &at);
}

// ---- Starting ----

void machine_start_failing(size_t frame_count, size_t fail_at, bool fail_all) {
    host_ram_init(MACHINE_RAM);
    frame_init(HOST_RAM_BASE, HOST_RAM_BASE + MACHINE_RAM);
    kernel_root = frame_set_aside(PAGE_SIZE);
    for (uint64_t i = 0; i < TABLE_ENTRIES; i++)
        kernel_root[i] = i < TABLE_ENTRIES / 2 ? ~0ull : (i << 20 | V | R | W | A | D | G);
    pt_set_kernel_root((const pte_t *)kernel_root);
    addrspace_init();
    cache_pages = frame_set_aside((size_t)FILE_FRAMES * PAGE_SIZE);
    file_mapped_max = FILE_FRAMES;
    frame_start(frame_count, fail_at, fail_all);
    hart_leave();
}

void machine_start(size_t frame_count) {
    machine_start_failing(frame_count, 0, false);
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

// ---- Spaces ----

struct region zero_region(vaddr_t start, size_t page_count, unsigned protection) {
    return (struct region){.start = start,
                           .end = start + page_count * PAGE_SIZE,
                           .name = "zero",
                           .protection = (uint8_t)protection,
                           .backing = &backing_zero};
}

struct region file_region(struct inode *ip, uint64_t offset, vaddr_t start, size_t bytes,
                          unsigned protection) {
    return (struct region){.start = start,
                           .end = round_up(start + bytes, PAGE_SIZE),
                           .name = "file",
                           .protection = (uint8_t)protection,
                           .backing = &backing_file,
                           .object = ip,
                           .offset = offset - start,
                           .content_end = start + bytes};
}

struct region shared_region(vaddr_t start, size_t page_count, unsigned protection) {
    struct region r = zero_region(start, page_count, protection);
    r.backing = &backing_shared;
    r.object = addrspace_create_shared(page_count * PAGE_SIZE);
    r.offset = -start;
    return r;
}

struct region shared_file_region(struct inode *ip, uint64_t offset, vaddr_t start,
                                 size_t page_count, unsigned protection) {
    struct region r = file_region(ip, offset, start, page_count * PAGE_SIZE, protection);
    r.backing = &backing_shared_file;
    return r;
}

struct addrspace *space_make(void) {
    struct addrspace *as = addrspace_create();
    CHECK(as != NULL);
    return as;
}

void space_map(struct addrspace *as, struct region r) {
    CHECK_EQUAL(0, addrspace_map(as, &r));
    if (r.backing->get != NULL)
        r.backing->get(r.object);
}

void space_use(struct addrspace *as) {
    addrspace_activate(as);
    CHECK_EQUAL(mmu_satp(pt_phys(&as->pt)), thread_self()->satp);
}

struct addrspace *space_fork(struct addrspace *parent) {
    struct addrspace *child = space_make();
    CHECK_EQUAL(0, addrspace_fork(child, parent));
    return child;
}

void space_end(struct addrspace *as) {
    if (thread_self()->satp == mmu_satp(pt_phys(&as->pt)))
        hart_leave();
    addrspace_put(as);
}

struct mapping mapping_at(const struct addrspace *as, vaddr_t va) {
    struct mapping m;
    return pt_lookup(&as->pt, va, &m) ? m : (struct mapping){0};
}

// ---- Frames ----

void frames_hold(size_t left) {
    for (struct frame *f; (f = frame_alloc(FRAME_KERNEL)) != NULL;)
        held[held_count++] = f;
    CHECK(left <= held_count);
    while (left-- > 0)
        frame_put(held[--held_count]);
}

void frames_release(void) {
    while (held_count > 0)
        frame_put(held[--held_count]);
}

static struct memstat stat(void) {
    struct memstat s;
    frame_stat(&s);
    fault_stat(&s);
    return s;
}

size_t frames_free(void) {
    return stat().frames_free;
}

size_t frames_promised(void) {
    return stat().frames_promised;
}

size_t frames_used(enum frame_use use) {
    return stat().frames_used[use];
}

uint64_t faults(enum fault_kind kind) {
    return stat().faults[kind];
}

// ---- Checks ----

static uint32_t mapped[FRAMES_MAX]; // entries that map each frame
static size_t promises;
static const char *check_file;
static int check_line;

#define DEMAND(condition, ...) \
    ((condition) ? (void)0 : test_fail(check_file, check_line, __VA_ARGS__))

static uint32_t *mapped_count(const struct frame *f) {
    return &mapped[(frame_phys(f) - HOST_RAM_BASE) / PAGE_SIZE];
}

// The entry of a page grants what its region allows; one that allows writing in a private region is
// the only one that maps its frame.
static void check_leaf(const struct addrspace *as, vaddr_t va, uint64_t entry) {
    const struct region *r = addrspace_find(as, va);
    unsigned long where = (unsigned long)va;
    struct frame *f = frame_of_phys(entry >> 10 << 12);
    ++*mapped_count(f);
    DEMAND(r != NULL, "expected a region at 0x%lx, saw a page outside all", where);
    unsigned most = (r->protection & (PROT_READ | PROT_WRITE) ? R : 0) |
                    (r->protection & PROT_WRITE ? W | D : 0) | (r->protection & PROT_EXEC ? X : 0);
    DEMAND((entry & (V | U | A | G)) == (V | U | A), "expected V, U, A at 0x%lx, saw 0x%lx", where,
           (long)entry);
    DEMAND(!(entry & W) == !(entry & D), "expected D with W at 0x%lx, saw 0x%lx", where,
           (long)entry);
    DEMAND((entry & (R | W | X | D) & ~most) == 0,
           "expected no more rights than 0x%x at 0x%lx, saw 0x%lx", most, where, (long)entry);
    bool is_private = !r->backing->shared;
    DEMAND(!(entry & W) || !is_private || f->count == 1,
           "expected count 1 of the writable frame at 0x%lx, saw %u", where, f->count);
    bool marked = is_private && most & W && !(entry & W);
    DEMAND(!(entry & MARK) == !marked, "expected mark %d at 0x%lx, saw 0x%lx", marked, where,
           (long)entry);
}

static void check_table(const struct addrspace *as, const uint64_t *table, int level,
                        vaddr_t base) {
    ++*mapped_count(frame_of(table));
    for (uint64_t i = 0; i < (level == 2 ? 256 : 512); i++) {
        vaddr_t va = base + (i << (12 + 9 * level));
        if (!(table[i] & V))
            DEMAND(table[i] == 0, "expected 0 in a table at 0x%lx, saw 0x%lx", (long)va,
                   (long)table[i]);
        else if (level == 0)
            check_leaf(as, va, table[i]);
        else
            check_table(as, table_at(table[i]), level - 1, va);
    }
}

static void check_space(struct addrspace *as) {
    const uint64_t *root = (const uint64_t *)as->pt.root;
    DEMAND(memcmp(root + 256, kernel_root + 256, 2048) == 0,
           "expected the kernel's entries in the root, saw others");
    check_table(as, root, 2, 0);
    DEMAND(as->region_count <= REGIONS_MAX, "expected at most %d regions, saw %u", REGIONS_MAX,
           as->region_count);
    for (unsigned i = 0; i < as->region_count; i++) {
        const struct region *r = &as->regions[i];
        DEMAND(r->start < r->end && r->end <= USER_END && (r->start | r->end) % PAGE_SIZE == 0 &&
                   (i == 0 || r[-1].end <= r->start),
               "expected regions in order, saw number %u wrong", i);
        for (vaddr_t va = r->start; r->promised && va < r->end; va += PAGE_SIZE)
            promises += walk(root, va) == 0;
    }
}

// I1, for the frames that entries map.
static void check_counts(void) {
    for (size_t i = 0; i < FRAMES_MAX; i++) {
        const struct frame *f = frame_of_phys(HOST_RAM_BASE + i * PAGE_SIZE);
        if (mapped[i] > 0)
            DEMAND(f->count == mapped[i] + (f->use == FRAME_CACHE) ||
                       (f->use == FRAME_CACHE && f->count == mapped[i]),
                   "expected count %u of frame %zu, saw %u", mapped[i], i, f->count);
    }
}

void machine_check(const char *file, int line) {
    check_file = file, check_line = line;
    host_printed_clear();
    memset(mapped, 0, sizeof mapped);
    promises = 0;
    sched_stop_others();
    addrspace_each(check_space);
    sched_resume_others();
    check_counts();
    struct memstat s = stat();
    size_t used = 0, user = 0;
    for (size_t i = 0; i < FRAMES_MAX; i++)
        user += mapped[i] > 0 && frame_of_phys(HOST_RAM_BASE + i * PAGE_SIZE)->use == FRAME_USER;
    for (int use = 0; use < FRAME_USES; use++)
        used += s.frames_used[use];
    DEMAND(s.frames_free + used == s.frames_total + adopted, "expected %lu frames in all, saw %lu",
           (long)(s.frames_total + adopted), (long)(s.frames_free + used));
    DEMAND(s.frames_used[FRAME_USER] == user, "expected %zu frames of programs, saw %lu", user,
           (long)s.frames_used[FRAME_USER]);
    DEMAND(s.frames_promised == promises, "expected %zu promises, saw %lu", promises,
           (long)s.frames_promised);
    size_t violations = vm_check();
    DEMAND(violations == 0, "expected no violation, saw %zu: %s", violations, host_printed);
    DEMAND(thread_self()->ranks_held == 0, "expected no lock held, saw 0x%lx",
           (long)thread_self()->ranks_held);
}

void machine_check_empty(const char *file, int line) {
    machine_check(file, line);
    struct memstat s = stat();
    DEMAND(s.frames_promised == 0, "expected no promise, saw %lu", (long)s.frames_promised);
    DEMAND(s.frames_free == s.frames_total, "expected %lu frames free, saw %lu",
           (long)s.frames_total, (long)s.frames_free);
    DEMAND(frame_mapped_cache_count() == 0, "expected no cache frame mapped, saw %zu",
           frame_mapped_cache_count());
    DEMAND(reserved == 0, "expected no page of the cache reserved, saw %zu", reserved);
    DEMAND(!in_transaction, "expected no open transaction, saw one");
    for (unsigned i = 0; i < file_count; i++)
        DEMAND(files[i].inode.mappings == 0, "expected no mapping of file %u, saw %d", i,
               files[i].inode.mappings);
    for (unsigned i = 0; i < file_count; i++)
        DEMAND(files[i].inode.references == 1, "expected 1 reference to file %u, saw %u", i,
               files[i].inode.references);
}
