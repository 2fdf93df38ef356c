// Doubly linked lists, linked through a struct list inside each element. An element that is on no
// list is linked to itself.
#pragma once
#include "abi/types.h"

struct list {
    struct list *next, *previous;
};

#define LIST_INIT(l) \
    { &(l), &(l) }

static inline void list_init(struct list *l) {
    l->next = l->previous = l;
}

static inline bool list_is_empty(const struct list *l) {
    return l->next == l;
}

static inline void list_add_tail(struct list *l, struct list *element) {
    element->next = l;
    element->previous = l->previous;
    l->previous->next = element;
    l->previous = element;
}

static inline void list_add_head(struct list *l, struct list *element) {
    list_add_tail(l->next, element);
}

static inline void list_remove(struct list *element) {
    element->next->previous = element->previous;
    element->previous->next = element->next;
    list_init(element);
}

// Walks the list. The body may remove `e`.
#define LIST_EACH(e, l) \
    for (struct list *e = (l)->next, *e##_next = e->next; e != (l); \
         e = e##_next, e##_next = e->next)
