// Page tables of processes. Loops over addresses skip ranges that have no leaf table.
#include "vm/pagetable.h"
#include "abi/errno.h"
#include "arch/mmu.h"
#include "lib/panic.h"
#include "lib/string.h"

// The kernel's entries of a root that may be in use: those up to the stack area.
enum { KERNEL_ENTRIES = 16 };

static_assert(((STACK_AREA - KERNEL_START) >> (PAGE_SHIFT + 9 * ROOT_LEVEL)) + 1 == KERNEL_ENTRIES,
              "the stack area belongs to the last of these entries");

static const pte_t *kernel_root;

void pt_set_kernel_root(const pte_t *root) {
    kernel_root = root;
}

static void flush_page(const struct pagetable *pt, vaddr_t va) {
    if (tree_is_active(pt->root))
        mmu_flush_page(va);
}

// ---- Life ----

int pt_init(struct pagetable *pt) {
    pt->root = table_alloc();
    if (pt->root == NULL)
        return -ENOMEM;
    memcpy(pt->root + USER_ENTRIES, kernel_root + USER_ENTRIES, KERNEL_ENTRIES * sizeof(pte_t));
    return 0;
}

// Drops the leaf tables below a middle table, and the middle table.
static void drop_middle(pte_t *middle) {
    for (pte_t *pointer = middle; table_used(middle) > 0; pointer++) {
        if (!pte_is_table(*pointer))
            continue;
        pte_t *leaf = table_of(*pointer);
        table_set(pointer, (pte_t){0});
        table_drop(leaf);
    }
    table_free(middle);
}

void pt_destroy(struct pagetable *pt) {
    if (pt->root == NULL)
        return;
    assert(!tree_is_active(pt->root)); // so the TLB holds none of its entries
    for (pte_t *top = pt->root; table_used(pt->root) > 0; top++) {
        if (!pte_is_table(*top))
            continue;
        pte_t *middle = table_of(*top);
        table_set(top, (pte_t){0});
        drop_middle(middle);
    }
    memset(pt->root + USER_ENTRIES, 0, KERNEL_ENTRIES * sizeof(pte_t));
    table_free(pt->root);
    pt->root = NULL;
}

// ---- Lookup ----

bool pt_next(const struct pagetable *pt, vaddr_t *va, vaddr_t end, struct mapping *m) {
    for (const pte_t *pointer; (pointer = tree_next_pointer(pt->root, va, end)) != NULL;) {
        const pte_t *pte = &table_of(*pointer)[pte_index(*va, 0)];
        for (unsigned n = tree_pages_in_table(*va, end); n > 0; n--, *va += PAGE_SIZE, pte++) {
            if (pte->bits & PTE_V) {
                *m = mapping_decode(pte);
                return true;
            }
        }
    }
    return false;
}

size_t pt_count(const struct pagetable *pt, vaddr_t start, vaddr_t end) {
    size_t present = 0;
    vaddr_t va = start;
    for (const pte_t *pointer; (pointer = tree_next_pointer(pt->root, &va, end)) != NULL;) {
        const pte_t *pte = &table_of(*pointer)[pte_index(va, 0)];
        present += table_count(pte, tree_pages_in_table(va, end));
        va = tree_next_table(va);
    }
    return present;
}

// ---- Mapping ----

int pt_map(struct pagetable *pt, vaddr_t va, struct mapping m) {
    assert(va % PAGE_SIZE == 0);
    pte_t *pte = tree_make_entry(pt->root, va);
    if (pte == NULL)
        return -ENOMEM;
    assert(!(pte->bits & PTE_V));
    table_set(pte, mapping_encode(m));
    flush_page(pt, va); // the TLB may have cached that nothing was mapped
    return 0;
}

// Returns the entry of the present page at va, for changing it.
static inline pte_t *own_entry(const struct pagetable *pt, vaddr_t va) {
    assert(va % PAGE_SIZE == 0);
    pte_t *pte = tree_own_entry(pt->root, va);
    assert(pte != NULL && pte->bits & PTE_V);
    return pte;
}

void pt_replace(struct pagetable *pt, vaddr_t va, struct mapping m) {
    pte_t *pte = own_entry(pt, va);
    struct frame *old = frame_of_phys(pte_phys(*pte));
    *pte = mapping_encode(m);
    flush_page(pt, va);
    frame_put(old);
}

void pt_protect(struct pagetable *pt, vaddr_t va, unsigned rights) {
    pte_t *pte = own_entry(pt, va);
    *pte = mapping_change(*pte, rights);
    flush_page(pt, va);
}

int pt_prepare(struct pagetable *pt, vaddr_t start, vaddr_t end) {
    for (vaddr_t va = start; va < end; va = tree_next_table(va)) {
        if (tree_make_entry(pt->root, va) == NULL)
            return -ENOMEM;
    }
    return 0;
}

// ---- Unmapping ----

// Unmaps the present pages among `count`, the first of which is at va. Returns how many there were.
static unsigned unmap_entries(const struct pagetable *pt, vaddr_t va, pte_t *pte, unsigned count) {
    unsigned unmapped = 0;
    for (unsigned i = 0; i < count; i++, va += PAGE_SIZE) {
        if (!(pte[i].bits & PTE_V))
            continue;
        struct frame *f = frame_of_phys(pte_phys(pte[i]));
        pte[i] = (pte_t){0};
        flush_page(pt, va);
        frame_put(f);
        unmapped++;
    }
    table_add_used(pte, -unmapped);
    return unmapped;
}

// Removes va's leaf table, and the middle table if nothing else is in it.
static void drop_leaf(const struct pagetable *pt, vaddr_t va, pte_t *pointer) {
    pte_t *leaf = table_of(*pointer);
    table_set(pointer, (pte_t){0});
    tree_flush(pt->root); // the hart may have cached the entry that pointed to the table
    table_drop(leaf);
    tree_free_middle(pt->root, va);
}

size_t pt_unmap(struct pagetable *pt, vaddr_t start, vaddr_t end) {
    size_t unmapped = 0;
    vaddr_t va = start;
    for (pte_t *pointer; (pointer = tree_next_pointer(pt->root, &va, end)) != NULL;
         va = tree_next_table(va)) {
        pte_t *leaf = table_of(*pointer);
        unsigned count = tree_pages_in_table(va, end);
        if (count == TABLE_ENTRIES && table_is_shared(leaf)) {
            unmapped += table_used(leaf);
            drop_leaf(pt, va, pointer);
        } else if (table_used(leaf) > 0) {
            unmapped += unmap_entries(pt, va, &table_own(pointer)[pte_index(va, 0)], count);
        }
    }
    return unmapped;
}

void pt_free_tables(struct pagetable *pt, vaddr_t start, vaddr_t end) {
    assert(start % pte_span(1) == 0 && end % pte_span(1) == 0);
    vaddr_t va = start;
    for (pte_t *pointer; (pointer = tree_next_pointer(pt->root, &va, end)) != NULL;
         va = tree_next_table(va)) {
        assert(table_used(table_of(*pointer)) == 0);
        drop_leaf(pt, va, pointer);
    }
}
