// Fork's part of page tables.
#include "vm/forktable.h"
#include "abi/errno.h"
#include "vm/tree.h"

// What fork makes of an entry: it keeps only the bits `kept`, and gains `set`.
struct change {
    uint64_t kept, set;
};

static pte_t changed(pte_t pte, struct change c) {
    return (pte_t){(pte.bits & c.kept) | c.set};
}

// Changes all entries of a leaf table that are in use. Nothing is left to do if the table is still
// sealed since the last fork.
static void seal(pte_t *leaf, struct change c) {
    if (table_is_sealed(leaf))
        return;
    pte_t *pte = leaf;
    for (unsigned left = table_used(leaf); left > 0; pte++) {
        if (!(pte->bits & PTE_V))
            continue;
        *pte = changed(*pte, c);
        left--;
    }
    table_seal(leaf);
}

// Shares the leaf table as a whole. `pointer`, which is free, is the child's entry for it.
static int share_table(pte_t *pointer, pte_t *leaf, struct change c) {
    seal(leaf, c);
    if (table_share(leaf) != 0)
        return -ENOMEM;
    table_set(pointer, pte_make(ptr_to_phys(leaf), PTE_V));
    return 0;
}

// Shares the pages that the `count` entries from `from` on map. The first entry is that of va.
static int share_entries(struct pagetable *child, vaddr_t va, pte_t *from, unsigned count,
                         struct change c) {
    unsigned i = 0, shared = 0;
    while (i < count && !(from[i].bits & PTE_V))
        i++;
    if (i == count)
        return 0; // the child needs no table; another region may share this one as a whole
    pte_t *to = tree_make_entry(child->root, va);
    if (to == NULL)
        return -ENOMEM;
    for (; i < count; i++) {
        if (!(from[i].bits & PTE_V))
            continue;
        pte_t pte = changed(from[i], c);
        if (from[i].bits != pte.bits) // in a sealed table, which may be shared, nothing changes
            from[i] = pte;
        frame_get(frame_of_phys(pte_phys(pte)));
        assert(!(to[i].bits & PTE_V));
        to[i] = pte;
        shared++;
    }
    table_add_used(to, shared);
    return 0;
}

// True if none but the `count` entries from `from` on are in use in their table.
static bool are_whole_table(const pte_t *from, unsigned count) {
    unsigned used = table_used(from);
    return count >= used && table_count(from, count) == used;
}

// Shares the pages that the parent's leaf table maps from va on, looking at `count` entries. A
// table of which nothing else is in use is shared as a whole.
static int share_leaf(struct pagetable *child, vaddr_t va, pte_t *leaf, unsigned count,
                      struct change c) {
    pte_t *from = &leaf[pte_index(va, 0)];
    if (table_is_sealed(leaf) || are_whole_table(from, count)) {
        pte_t *pointer = tree_make_pointer(child->root, va);
        if (pointer == NULL)
            return -ENOMEM;
        if (!pte_is_table(*pointer))
            return share_table(pointer, leaf, c);
        if (table_of(*pointer) == leaf)
            return 0; // it has been shared with another part of it
    }
    return share_entries(child, va, from, count, c);
}

static int share(struct pagetable *child, struct pagetable *parent, vaddr_t start, vaddr_t end,
                 struct change c) {
    assert(!tree_is_active(child->root)); // so the TLB holds none of its entries
    vaddr_t va = start;
    for (pte_t *pointer; (pointer = tree_next_pointer(parent->root, &va, end)) != NULL;
         va = tree_next_table(va)) {
        pte_t *leaf = table_of(*pointer);
        if (table_used(leaf) == 0)
            continue;
        int error = share_leaf(child, va, leaf, tree_pages_in_table(va, end), c);
        if (error)
            return error;
    }
    return 0;
}

int pt_share(struct pagetable *child, struct pagetable *parent, vaddr_t start, vaddr_t end) {
    return share(child, parent, start, end, (struct change){.kept = ~0ull});
}

int pt_share_as(struct pagetable *child, struct pagetable *parent, vaddr_t start, vaddr_t end,
                unsigned rights) {
    struct change c = {.kept = PTE_PAGE_NUMBER, .set = mapping_bits(rights)};
    int error = share(child, parent, start, end, c);
    tree_flush(parent->root);
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
        if (pt_map(child, va, (struct mapping){.frame = copy, .rights = rights}) != 0) {
            frame_put(copy);
            return -ENOMEM;
        }
    }
    return 0;
}
