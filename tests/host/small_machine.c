// A small machine for tests of mem and vm.
#include "small_machine.h"

#include <string.h>

#include "abi/limits.h"
#include "arch/mmu.h"
#include "arch/pte.h"
#include "sched/stop.h"
#include "vm/pagetable.h"

enum { TLB_ENTRIES = 1024, FRAMES_MAX = MACHINE_RAM / PAGE_SIZE };

// Entries of Sv39 (privileged specification, 4.4), written down again: the tests check the
// kernel's.
enum { V = 1, R = 2, W = 4, X = 8, U = 16, G = 32, A = 64, D = 128, MARK = 256 };

// With level 0, what the hart has cached of a page; with level 1, of the way to a leaf table, which
// a flush of a page need not drop.
struct tlb_entry {
    bool valid;
    vaddr_t page;
    uint64_t entry;
};

unsigned hart_instruction_flushes;
void (*hart_meanwhile)(void);

static uint64_t *kernel_root;
static struct tlb_entry tlb[TLB_ENTRIES], pointers[TLB_ENTRIES];
static struct frame *held[FRAMES_MAX];
static size_t held_count;

// ---- The hart ----

void mmu_flush(void) {
    memset(tlb, 0, sizeof tlb);
    memset(pointers, 0, sizeof pointers);
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

// The leaf entry for va in the active tree; 0: none. The hart remembers where leaf tables are.
static uint64_t walk_active(vaddr_t va) {
    struct tlb_entry *pointer = &pointers[(va >> 21) % TLB_ENTRIES];
    if (!pointer->valid || pointer->page != va >> 21) {
        uint64_t top = table_at(thread_self()->satp << 20 >> 10)[va >> 30 & 511];
        uint64_t entry = top & V ? table_at(top)[va >> 21 & 511] : 0;
        *pointer = (struct tlb_entry){entry & V, va >> 21, entry};
    }
    return pointer->valid ? table_at(pointer->entry)[va >> 12 & 511] : 0;
}

static struct tlb_entry *translate(vaddr_t va) {
    struct tlb_entry *t = &tlb[va / PAGE_SIZE % TLB_ENTRIES];
    if (t->valid && t->page == va / PAGE_SIZE)
        return t;
    uint64_t entry = walk_active(va);
    *t = (struct tlb_entry){entry & V, va / PAGE_SIZE, entry};
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
    memset(kernel_root, 0, PAGE_SIZE);
    for (uint64_t i = 0; i <= (STACK_AREA >> 30 & 511); i++) // the kernel's end with the stacks
        kernel_root[i] = i < 256 ? ~0ull : (i << 20 | V | R | W | A | D | G);
    pt_set_kernel_root((const pte_t *)kernel_root);
    addrspace_init(PROCS_MAX);
    file_cache_init();
    frame_start(frame_count, fail_at, fail_all);
    hart_leave();
}

void machine_start(size_t frame_count) {
    machine_start_failing(frame_count, 0, false);
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
    CHECK_EQUAL(0, fork_space(child, parent));
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
static size_t promises, spares;     // that there must be
static const char *check_file;
static int check_line;

#define DEMAND(condition, ...) \
    ((condition) ? (void)0 : test_fail(check_file, check_line, __VA_ARGS__))

static uint32_t *mapped_count(const struct frame *f) {
    return &mapped[(frame_phys(f) - HOST_RAM_BASE) / PAGE_SIZE];
}

// The entry of a page grants what its region allows; one that allows writing in a private region is
// the only one that maps its frame, in a table that is not shared.
static void check_leaf(struct addrspace *as, vaddr_t va, uint64_t entry, bool is_sole) {
    const struct region *r = addrspace_find(as, va);
    unsigned long where = (unsigned long)va;
    struct frame *f = frame_of_phys(entry >> 10 << 12);
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
    DEMAND(!(entry & W) || !is_private || (f->count == 1 && is_sole),
           "expected one owner of the writable frame at 0x%lx, saw %u, and %d of its table", where,
           f->count, is_sole);
    bool marked = is_private && most & W && !(entry & W);
    DEMAND(!(entry & MARK) == !marked, "expected mark %d at 0x%lx, saw 0x%lx", marked, where,
           (long)entry);
}

// Counts what the table maps, which several spaces may share, at the first visit only.
static void count_table(const uint64_t *table, int level) {
    const struct frame *f = frame_of(table);
    unsigned used = 0;
    if (++*mapped_count(f) > 1)
        return;
    for (int i = 0; i < (level == 2 ? 256 : 512); i++) {
        if (table[i] & V)
            used++;
        if (table[i] & V && level == 0)
            ++*mapped_count(frame_of_phys(table[i] >> 10 << 12));
    }
    DEMAND(f->use == FRAME_TABLE && f->entries == used, "expected %u entries in table %zu, saw %u",
           used, mapped_count(f) - mapped, f->entries);
    DEMAND(level == 0 || f->count == 1, "expected one owner of a table of level %d, saw %u", level,
           f->count);
    spares += f->count - 1;
}

static void check_table(struct addrspace *as, const uint64_t *table, int level, vaddr_t base) {
    count_table(table, level);
    for (uint64_t i = 0; i < (level == 2 ? 256 : 512); i++) {
        vaddr_t va = base + (i << (12 + 9 * level));
        if (!(table[i] & V))
            DEMAND(table[i] == 0, "expected 0 in a table at 0x%lx, saw 0x%lx", (long)va,
                   (long)table[i]);
        else if (level == 0)
            check_leaf(as, va, table[i], frame_of(table)->count == 1);
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

// The numbers of frames in each use, and of promises.
static void check_sums(void) {
    struct memstat s = stat();
    size_t used = 0, user = 0, tables = spares;
    for (size_t i = 0; i < FRAMES_MAX; i++) {
        const struct frame *f = frame_of_phys(HOST_RAM_BASE + i * PAGE_SIZE);
        user += mapped[i] > 0 && f->use == FRAME_USER;
        tables += mapped[i] > 0 && f->use == FRAME_TABLE;
    }
    for (int use = 0; use < FRAME_USES; use++)
        used += s.frames_used[use];
    DEMAND(s.frames_free + used == s.frames_total + file_adopted(),
           "expected %lu frames in all, saw %lu", (long)(s.frames_total + file_adopted()),
           (long)(s.frames_free + used));
    DEMAND(s.frames_used[FRAME_USER] == user, "expected %zu frames of programs, saw %lu", user,
           (long)s.frames_used[FRAME_USER]);
    DEMAND(s.frames_used[FRAME_TABLE] == tables, "expected %zu frames of tables, saw %lu", tables,
           (long)s.frames_used[FRAME_TABLE]);
    DEMAND(s.frames_promised == promises, "expected %zu promises, saw %lu", promises,
           (long)s.frames_promised);
}

void machine_check(const char *file, int line) {
    check_file = file, check_line = line;
    host_printed_clear();
    memset(mapped, 0, sizeof mapped);
    promises = spares = 0;
    sched_stop_others();
    addrspace_each(check_space);
    sched_resume_others();
    check_counts();
    check_sums();
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
    file_check_all_back(file, line);
}

void run_seeds(unsigned first, unsigned last, void (*run)(void)) {
    const char *only = getenv("SEED");
    if (only != NULL)
        first = last = (unsigned)atoi(only);
    for (unsigned seed = first; seed <= last; seed++) {
        printf("    seed %u\n", seed);
        fflush(stdout);
        host_random_seed(seed);
        run();
        CHECK_ALL_BACK();
    }
}
