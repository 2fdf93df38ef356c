// Walks through trees of tables.
#include "vm/tree.h"

pte_t *tree_make_pointer(pte_t *root, vaddr_t va) {
    pte_t *top = &root[pte_index(va, ROOT_LEVEL)];
    return table_ensure(top) == 0 ? &table_of(*top)[pte_index(va, 1)] : NULL;
}

void tree_free_middle(pte_t *root, vaddr_t va) {
    pte_t *top = &root[pte_index(va, ROOT_LEVEL)];
    pte_t *middle = table_of(*top);
    if (table_used(middle) > 0)
        return;
    table_set(top, (pte_t){0});
    tree_flush(root); // the hart may have cached the entry
    table_free(middle);
}

pte_t *tree_make_leaf(pte_t *root, vaddr_t va) {
    pte_t *pointer = tree_make_pointer(root, va);
    if (pointer == NULL)
        return NULL;
    if (table_make(pointer) != 0) {
        tree_free_middle(root, va);
        return NULL;
    }
    return &table_of(*pointer)[pte_index(va, 0)];
}

pte_t *tree_next_pointer(const pte_t *root, vaddr_t *va, vaddr_t end) {
    while (*va < end) {
        pte_t *pointer = tree_find_pointer(root, *va);
        if (pointer != NULL && pte_is_table(*pointer))
            return pointer;
        uint64_t span = pte_span(pointer != NULL ? 1 : ROOT_LEVEL);
        *va = round_down(*va, span) + span;
    }
    return NULL;
}
