// Bytes in pages that are copied on write.
#include "memory/paged.h"
#include "memory/host.h"

#include <string.h>

static const uint8_t zeros[PAGE_BYTES];

bool paged_init(struct paged *p, uint64_t bytes) {
    p->page_count = bytes / PAGE_BYTES;
    p->group_count = (p->page_count + GROUP_PAGES - 1) / GROUP_PAGES;
    p->groups = host_alloc((p->group_count + 1) * sizeof p->groups[0]); // never 0 bytes
    return p->groups != NULL;
}

bool paged_copy(struct paged *p, const struct paged *source) {
    if (!paged_init(p, paged_bytes(source)))
        return false;
    for (size_t i = 0; i < p->group_count; i++) {
        p->groups[i] = source->groups[i];
        if (p->groups[i] != NULL)
            p->groups[i]->owners++;
    }
    return true;
}

struct page *page_get(struct page *page) {
    if (page != NULL)
        page->owners++;
    return page;
}

void page_put(struct page *page) {
    if (page != NULL && --page->owners == 0)
        host_free(page);
}

static void group_put(struct page_group *group) {
    if (group == NULL || --group->owners > 0)
        return;
    for (size_t i = 0; i < GROUP_PAGES; i++)
        page_put(group->pages[i]);
    host_free(group);
}

void paged_destroy(struct paged *p) {
    for (size_t i = 0; i < p->group_count; i++)
        group_put(p->groups[i]);
    host_free(p->groups);
    *p = (struct paged){0};
}

uint64_t paged_bytes(const struct paged *p) {
    return p->page_count * PAGE_BYTES;
}

static struct page *find(const struct paged *p, uint64_t page) {
    const struct page_group *group = p->groups[page / GROUP_PAGES];
    return group == NULL ? NULL : group->pages[page % GROUP_PAGES];
}

const uint8_t *paged_read(const struct paged *p, uint64_t page) {
    const struct page *found = find(p, page);
    return found == NULL ? zeros : found->bytes;
}

bool paged_is_written(const struct paged *p, uint64_t page) {
    return find(p, page) != NULL;
}

struct page *paged_get(const struct paged *p, uint64_t page) {
    return page_get(find(p, page));
}

uint64_t paged_next_difference(const struct paged *a, const struct paged *b, uint64_t page) {
    while (page < a->page_count) {
        bool is_same_group = a->groups[page / GROUP_PAGES] == b->groups[page / GROUP_PAGES];
        if (!is_same_group && find(a, page) != find(b, page))
            return page;
        page = is_same_group ? (page / GROUP_PAGES + 1) * GROUP_PAGES : page + 1;
    }
    return a->page_count;
}

// Returns a group with the same pages that has one owner, or NULL.
static struct page_group *group_own(struct page_group *old) {
    if (old != NULL && old->owners == 1)
        return old;
    struct page_group *group = host_alloc(sizeof *group);
    if (group == NULL)
        return NULL;
    group->owners = 1;
    if (old == NULL)
        return group;
    for (size_t i = 0; i < GROUP_PAGES; i++)
        group->pages[i] = page_get(old->pages[i]);
    group_put(old);
    return group;
}

// The same for a page.
static struct page *page_own(struct page *old) {
    if (old != NULL && old->owners == 1)
        return old;
    struct page *page = host_alloc(sizeof *page);
    if (page == NULL)
        return NULL;
    page->owners = 1;
    if (old != NULL)
        memcpy(page->bytes, old->bytes, PAGE_BYTES);
    page_put(old);
    return page;
}

uint8_t *paged_write(struct paged *p, uint64_t page) {
    struct page_group **group = &p->groups[page / GROUP_PAGES];
    struct page_group *own_group = group_own(*group);
    if (own_group == NULL)
        return NULL;
    *group = own_group;
    struct page **slot = &own_group->pages[page % GROUP_PAGES];
    struct page *own_page = page_own(*slot);
    if (own_page == NULL)
        return NULL;
    *slot = own_page;
    return own_page->bytes;
}

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

void paged_fetch(const struct paged *p, uint64_t start, void *bytes, size_t count) {
    for (uint8_t *to = bytes; count > 0;) {
        size_t offset = start % PAGE_BYTES, part = smaller(count, PAGE_BYTES - offset);
        memcpy(to, paged_read(p, start / PAGE_BYTES) + offset, part);
        to += part;
        start += part;
        count -= part;
    }
}

static bool is_zero(const uint8_t *bytes, size_t count) {
    return memcmp(bytes, zeros, count) == 0;
}

bool paged_fill(struct paged *p, uint64_t start, const void *bytes, size_t count) {
    for (const uint8_t *from = bytes; count > 0;) {
        size_t offset = start % PAGE_BYTES, part = smaller(count, PAGE_BYTES - offset);
        if (!paged_is_written(p, start / PAGE_BYTES) && is_zero(from, part)) {
            // It is zero already.
        } else {
            uint8_t *page = paged_write(p, start / PAGE_BYTES);
            if (page == NULL)
                return false;
            memcpy(page + offset, from, part);
        }
        from += part;
        start += part;
        count -= part;
    }
    return true;
}
