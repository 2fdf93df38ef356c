// Tables of page tables. The frames that are set aside for copies of a leaf table form a list,
// which begins in the `next` of its frame.
#include "vm/table.h"
#include "abi/errno.h"
#include "arch/mmu.h"
#include "lib/panic.h"
#include "sync/spinlock.h"

// Guards the owners of shared leaf tables: their number, and the frames set aside for copies. Who
// holds it and sees a single owner knows that no other will come.
static struct spinlock lock = SPINLOCK(RANK_TABLES);

pte_t *table_alloc(void) {
    struct frame *f = frame_alloc_zeroed(FRAME_TABLE);
    return f != NULL ? frame_ptr(f) : NULL;
}

void table_free(pte_t *table) {
    struct frame *f = frame_of(table);
    assert(f->entries == 0 && !frame_is_shared(f));
    frame_put_zeroed(f);
}

int table_make(pte_t *entry) {
    pte_t *table = table_alloc();
    if (table == NULL)
        return -ENOMEM;
    table_set(entry, pte_make(ptr_to_phys(table), PTE_V));
    return 0;
}

unsigned table_count(const pte_t *entry, unsigned count) {
    unsigned used = table_used(entry), n = 0;
    if (used == 0 || count == TABLE_ENTRIES)
        return used;
    for (; count > 0; count--, entry++)
        n += entry->bits & PTE_V;
    return n;
}

// ---- Sharing ----

int table_share(pte_t *leaf) {
    struct frame *f = frame_of(leaf), *spare = frame_alloc_zeroed(FRAME_TABLE);
    if (spare == NULL)
        return -ENOMEM;
    spin_lock(&lock);
    spare->next = f->next;
    f->next = frame_index(spare);
    frame_get(f);
    spin_unlock(&lock);
    return 0;
}

// Takes one of the frames that are set aside.
static struct frame *take_spare(struct frame *f) {
    assert(spin_held(&lock) && frame_is_shared(f));
    struct frame *spare = frame_of_index(f->next);
    f->next = spare->next;
    return spare;
}

// Copies the entries of a table to an empty one, which gets references of its own to the pages.
static void copy_entries(struct frame *to, const struct frame *from) {
    pte_t *target = frame_ptr(to);
    const pte_t *source = frame_ptr(from);
    to->entries = from->entries;
    for (unsigned left = from->entries; left > 0; source++, target++) {
        if (!(source->bits & PTE_V))
            continue;
        frame_get(frame_of_phys(pte_phys(*source)));
        *target = *source;
        left--;
    }
}

struct frame *table_replace_by_copy(pte_t *pointer) {
    struct frame *f = frame_of_phys(pte_phys(*pointer)), *own = f;
    spin_lock(&lock);
    if (frame_is_shared(f)) {
        own = take_spare(f);
        copy_entries(own, f);
        *pointer = pte_make(frame_phys(own), PTE_V);
        mmu_flush(); // the hart may have cached the entry that pointed to the shared table
        frame_put(f);
    }
    spin_unlock(&lock);
    return own;
}

// Clears an entry, if it is in use, and drops its reference to the page. Returns whether it was.
static bool put_page(pte_t *pte) {
    if (!(pte->bits & PTE_V))
        return false;
    struct frame *page = frame_of_phys(pte_phys(*pte));
    *pte = (pte_t){0};
    frame_put(page);
    return true;
}

// Clears the entries of a leaf table, and drops its references to the pages. After an empty entry,
// it looks at the other end, too: a program's stack is there, far from its segments.
static void put_pages(pte_t *leaf) {
    pte_t *low = leaf, *high = leaf + TABLE_ENTRIES;
    for (unsigned left = table_used(leaf); left > 0; low++) {
        if (put_page(low) || put_page(--high))
            left--;
    }
    frame_of(leaf)->entries = 0;
}

// If the leaf table has other owners, drops the caller's ownership and returns the frame that was
// set aside for it; else returns NULL.
static struct frame *leave(struct frame *f) {
    struct frame *spare = NULL;
    spin_lock(&lock);
    if (frame_is_shared(f)) {
        spare = take_spare(f);
        frame_put(f);
    }
    spin_unlock(&lock);
    return spare;
}

void table_drop(pte_t *leaf) {
    struct frame *spare = table_is_shared(leaf) ? leave(frame_of(leaf)) : NULL;
    if (spare != NULL) {
        table_free(frame_ptr(spare));
    } else {
        put_pages(leaf);
        table_free(leaf);
    }
}

void table_each_spare(const pte_t *table, void (*visit)(struct frame *spare)) {
    const struct frame *f = frame_of(table);
    uint32_t next = f->next;
    for (uint32_t left = f->count; left > 1; left--) {
        visit(frame_of_index(next));
        next = frame_of_index(next)->next;
    }
}
