// Page tables of processes. Loops over addresses skip ranges that have no leaf table.
#include "vm/pagetable.h"
#include "abi/errno.h"
#include "arch/mmu.h"
#include "arch/thread.h"
#include "lib/panic.h"
#include "lib/string.h"

static const pte_t *kernel_root;

void pt_set_kernel_root(const pte_t *root) {
    kernel_root = root;
}

paddr_t pt_phys(const struct pagetable *pt) {
    return ptr_to_phys(pt->root);
}

// The hart's TLB holds only entries of the page table in use, because mmu_switch flushes it.
static bool is_active(const struct pagetable *pt) {
    return thread_self()->satp == mmu_satp(pt_phys(pt));
}

static void flush(const struct pagetable *pt) {
    if (is_active(pt))
        mmu_flush();
}

static void flush_page(const struct pagetable *pt, vaddr_t va) {
    if (is_active(pt))
        mmu_flush_page(va);
}

int pt_init(struct pagetable *pt) {
    struct frame *f = frame_alloc(FRAME_TABLE);
    if (f == NULL)
        return -ENOMEM;
    pt->root = frame_ptr(f);
    memset(pt->root, 0, USER_ENTRIES * sizeof(pte_t));
    memcpy(pt->root + USER_ENTRIES, kernel_root + USER_ENTRIES, USER_ENTRIES * sizeof(pte_t));
    return 0;
}

void pt_destroy(struct pagetable *pt) {
    if (pt->root == NULL)
        return;
    pt_free_tables(pt, 0, USER_END);
    frame_put(frame_of(pt->root));
    pt->root = NULL;
}

static pte_t *table_of(pte_t pte) {
    return phys_to_ptr(pte_phys(pte));
}

// Returns the entry for va in its leaf table, or NULL if there is no such table.
static pte_t *find_entry(const struct pagetable *pt, vaddr_t va) {
    assert(va < USER_END);
    pte_t *table = pt->root;
    for (int level = ROOT_LEVEL; level > 0; level--) {
        pte_t pte = table[pte_index(va, level)];
        if (!pte_is_table(pte))
            return NULL;
        table = table_of(pte);
    }
    return &table[pte_index(va, 0)];
}

// As find_entry, but makes the tables that are missing. Returns NULL if memory is exhausted.
static pte_t *make_entry(struct pagetable *pt, vaddr_t va) {
    pte_t *table = pt->root;
    for (int level = ROOT_LEVEL; level > 0; level--) {
        pte_t *pte = &table[pte_index(va, level)];
        if (!pte_is_table(*pte)) {
            struct frame *f = frame_alloc_zeroed(FRAME_TABLE);
            if (f == NULL)
                return NULL;
            *pte = pte_make(frame_phys(f), PTE_V);
        }
        table = table_of(*pte);
    }
    return &table[pte_index(va, 0)];
}

static_assert(PROT_READ << 1 == PTE_R && PROT_WRITE << 1 == PTE_W && PROT_EXEC << 1 == PTE_X,
              "rights are shifted to become bits of an entry");

// The bits of a present entry. W without R is reserved. A and D are set in advance, because some
// harts fault where others would set them.
static uint64_t bits_of(unsigned rights) {
    uint64_t bits = PTE_V | PTE_U | PTE_A | (rights & PROT_ALL) << 1;
    if (rights & PROT_WRITE)
        bits |= PTE_R | PTE_D;
    if (rights & ENTRY_COW)
        bits |= PTE_COW;
    return bits;
}

static pte_t encode(struct mapping m) {
    return pte_make(frame_phys(m.frame), bits_of(m.rights));
}

static struct mapping decode(pte_t pte) {
    unsigned mark = pte.bits & PTE_COW ? ENTRY_COW : 0;
    return (struct mapping){frame_of_phys(pte_phys(pte)), (pte.bits >> 1 & PROT_ALL) | mark};
}

bool pt_lookup(const struct pagetable *pt, vaddr_t va, struct mapping *m) {
    const pte_t *pte = find_entry(pt, va);
    if (pte == NULL || !(pte->bits & PTE_V))
        return false;
    *m = decode(*pte);
    return true;
}

static vaddr_t next_table(vaddr_t va) {
    return round_down(va, pte_span(1)) + pte_span(1);
}

// Returns where the addresses of va's leaf table end, or `end` if that comes first.
static vaddr_t table_end(vaddr_t va, vaddr_t end) {
    return min(next_table(va), end);
}

// Moves *va up to the first address whose leaf table exists, and returns that table's entry for it.
// Returns NULL if there is none below end.
static pte_t *next_leaf(const struct pagetable *pt, vaddr_t *va, vaddr_t end) {
    while (*va < end) {
        pte_t top = pt->root[pte_index(*va, ROOT_LEVEL)];
        if (!pte_is_table(top)) {
            *va = round_down(*va, pte_span(ROOT_LEVEL)) + pte_span(ROOT_LEVEL);
            continue;
        }
        pte_t middle = table_of(top)[pte_index(*va, 1)];
        if (pte_is_table(middle))
            return &table_of(middle)[pte_index(*va, 0)];
        *va = next_table(*va);
    }
    return NULL;
}

bool pt_next(const struct pagetable *pt, vaddr_t *va, vaddr_t end, struct mapping *m) {
    for (const pte_t *pte; (pte = next_leaf(pt, va, end)) != NULL;) {
        for (vaddr_t stop = table_end(*va, end); *va < stop; *va += PAGE_SIZE, pte++) {
            if (pte->bits & PTE_V) {
                *m = decode(*pte);
                return true;
            }
        }
    }
    return false;
}

int pt_map(struct pagetable *pt, vaddr_t va, struct mapping m) {
    assert(va % PAGE_SIZE == 0);
    pte_t *pte = make_entry(pt, va);
    if (pte == NULL)
        return -ENOMEM;
    assert(!(pte->bits & PTE_V));
    *pte = encode(m);
    flush_page(pt, va); // the TLB may have cached that nothing was mapped
    return 0;
}

static pte_t *present_entry(struct pagetable *pt, vaddr_t va) {
    assert(va % PAGE_SIZE == 0);
    pte_t *pte = find_entry(pt, va);
    assert(pte != NULL && pte->bits & PTE_V);
    return pte;
}

void pt_replace(struct pagetable *pt, vaddr_t va, struct mapping m) {
    pte_t *pte = present_entry(pt, va);
    struct frame *old = decode(*pte).frame;
    *pte = encode(m);
    flush_page(pt, va);
    frame_put(old);
}

void pt_protect(struct pagetable *pt, vaddr_t va, unsigned rights) {
    pte_t *pte = present_entry(pt, va);
    *pte = encode((struct mapping){decode(*pte).frame, rights});
    flush_page(pt, va);
}

int pt_prepare(struct pagetable *pt, vaddr_t start, vaddr_t end) {
    for (vaddr_t va = start; va < end; va = next_table(va)) {
        if (make_entry(pt, va) == NULL)
            return -ENOMEM;
    }
    return 0;
}

// Shares the present pages. Their entries in both tables keep only the bits `kept`, and gain `set`.
static int share(struct pagetable *child, struct pagetable *parent, vaddr_t start, vaddr_t end,
                 uint64_t kept, uint64_t set) {
    assert(!is_active(child)); // so the TLB holds none of its entries
    vaddr_t va = start;
    for (pte_t *from; (from = next_leaf(parent, &va, end)) != NULL;) {
        pte_t *table = NULL; // the child's leaf table, made when it is needed
        for (vaddr_t stop = table_end(va, end); va < stop; va += PAGE_SIZE, from++) {
            if (!(from->bits & PTE_V))
                continue;
            if (table == NULL)
                table = make_entry(child, round_down(va, pte_span(1)));
            if (table == NULL)
                return -ENOMEM;
            pte_t shared = {(from->bits & kept) | set};
            frame_get(frame_of_phys(pte_phys(shared)));
            *from = shared;
            // Only DEBUG checks this, because it costs 6 % of a fork.
            assert(!DEBUG || !(table[pte_index(va, 0)].bits & PTE_V));
            table[pte_index(va, 0)] = shared;
        }
    }
    return 0;
}

int pt_share(struct pagetable *child, struct pagetable *parent, vaddr_t start, vaddr_t end) {
    return share(child, parent, start, end, ~0ull, 0);
}

int pt_share_as(struct pagetable *child, struct pagetable *parent, vaddr_t start, vaddr_t end,
                unsigned rights) {
    int error = share(child, parent, start, end, PTE_PAGE_NUMBER, bits_of(rights));
    flush(parent);
    return error;
}

int pt_copy(struct pagetable *child, const struct pagetable *parent, vaddr_t start, vaddr_t end,
            unsigned rights) {
    struct mapping m;
    for (vaddr_t va = start; pt_next(parent, &va, end, &m); va += PAGE_SIZE) {
        struct frame *copy = frame_alloc(FRAME_USER);
        if (copy == NULL)
            return -ENOMEM;
        frame_copy(copy, m.frame);
        if (pt_map(child, va, (struct mapping){copy, rights}) != 0) {
            frame_put(copy);
            return -ENOMEM;
        }
    }
    return 0;
}

size_t pt_unmap(struct pagetable *pt, vaddr_t start, vaddr_t end) {
    size_t dropped = 0;
    vaddr_t va = start;
    for (pte_t *pte; (pte = next_leaf(pt, &va, end)) != NULL;) {
        for (vaddr_t stop = table_end(va, end); va < stop; va += PAGE_SIZE, pte++) {
            if (!(pte->bits & PTE_V))
                continue;
            struct frame *f = decode(*pte).frame;
            *pte = (pte_t){0};
            flush_page(pt, va);
            frame_put(f);
            dropped++;
        }
    }
    return dropped;
}

// Frees the table of that level to which *pte points, and clears *pte. A leaf table must be empty,
// or references to frames are lost; only DEBUG checks it, because that takes 512 loads.
static void free_table(const struct pagetable *pt, pte_t *pte, int level) {
    pte_t *table = table_of(*pte);
    for (unsigned i = 0; DEBUG && level == 0 && i < TABLE_ENTRIES; i++)
        assert(!(table[i].bits & PTE_V));
    *pte = (pte_t){0};
    flush(pt); // the hart may have cached the entry that points to the table
    frame_put(frame_of(table));
}

// Frees the tables below `table` that serve addresses from start to end only; `base` is the first
// address that the table covers.
static void free_below(const struct pagetable *pt, pte_t *table, int level, vaddr_t base,
                       vaddr_t start, vaddr_t end) {
    uint64_t span = pte_span(level);
    vaddr_t first = max(round_down(start, span), base);
    vaddr_t last = min(base + span * TABLE_ENTRIES, end);
    for (vaddr_t va = first; va < last; va += span) {
        pte_t *pte = &table[pte_index(va, level)];
        if (!pte_is_table(*pte))
            continue;
        if (level > 1)
            free_below(pt, table_of(*pte), level - 1, va, start, end);
        if (va >= start && va + span <= end)
            free_table(pt, pte, level - 1);
    }
}

void pt_free_tables(struct pagetable *pt, vaddr_t start, vaddr_t end) {
    free_below(pt, pt->root, ROOT_LEVEL, 0, start, end);
}
