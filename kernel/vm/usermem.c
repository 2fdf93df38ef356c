// The kernel's access to user memory.
#include "vm/usermem.h"
#include "abi/errno.h"
#include "lib/panic.h"
#include "sync/spinlock.h"
#include "vm/fault.h"

// Looks up the entry again after vm_fault. If it still did not allow the access, a store by the
// program would just fault again, but one by the kernel would change a shared frame.
static void check_repaired(struct addrspace *as, vaddr_t va, enum access access,
                           struct mapping *m) {
    bool present = pt_lookup(&as->pt, va, m);
    assert(present);
    if (!(m->rights & access_needs(access)))
        panic("the page at 0x%lx does not allow what vm_fault has just granted: "
              "must cow_break run right after page_in, too?",
              (unsigned long)va);
}

// The part of user_page for a page that is not there or does not allow the access yet. Out of line,
// so that the other part stays short.
static __attribute__((noinline)) int fault_in(struct addrspace *as, vaddr_t va, enum access access,
                                              void **pointer) {
    struct mapping m;
    int error = vm_fault(as, va, access);
    if (error)
        return error;
    check_repaired(as, va, access, &m);
    *pointer = (char *)frame_ptr(m.frame) + va % PAGE_SIZE;
    return 0;
}

int user_page(struct addrspace *as, vaddr_t va, enum access access, void **pointer) {
    assert(thread_self()->ranks_held == 0);
    if (va >= USER_END)
        return -EFAULT;
    struct mapping m;
    if (!pt_lookup(&as->pt, va, &m) || !(m.rights & access_needs(access)))
        return fault_in(as, va, access, pointer);
    *pointer = (char *)frame_ptr(m.frame) + va % PAGE_SIZE;
    return 0;
}

// How many of the n bytes from va on are in va's page.
static size_t bytes_in_page(vaddr_t va, size_t n) {
    return min(n, PAGE_SIZE - va % PAGE_SIZE);
}

int user_spans(struct addrspace *as, vaddr_t va, size_t n, enum access access, struct spans *s) {
    s->size = 0;
    s->first = s->count = 0;
    while (n > 0 && s->count < SPANS_MAX) {
        void *base;
        int error = user_page(as, va, access, &base);
        if (error)
            return s->count > 0 ? 0 : error;
        size_t size = bytes_in_page(va, n);
        s->span[s->count++] = (struct span){base, size};
        s->size += size;
        va += size;
        n -= size;
    }
    return 0;
}

int user_spans_all(struct addrspace *as, vaddr_t va, size_t n, enum access access,
                   struct spans *s) {
    assert(n <= (SPANS_MAX - 1) * PAGE_SIZE);
    int error = user_spans(as, va, n, access, s);
    return error == 0 && s->size < n ? -EFAULT : error;
}

int user_copy_in(struct addrspace *as, void *to, vaddr_t from, size_t n) {
    assert(n <= PAGE_SIZE);
    struct spans s;
    int error = user_spans_all(as, from, n, ACCESS_READ, &s);
    if (error == 0)
        spans_drain(&s, to, n);
    return error;
}

int user_copy_out(struct addrspace *as, vaddr_t to, const void *from, size_t n) {
    assert(n <= PAGE_SIZE);
    struct spans s;
    int error = user_spans_all(as, to, n, ACCESS_WRITE, &s);
    if (error == 0)
        spans_fill(&s, from, n);
    return error;
}

int64_t user_copy_string(struct addrspace *as, char *to, vaddr_t from, size_t size) {
    for (size_t done = 0; done < size;) {
        void *page;
        int error = user_page(as, from + done, ACCESS_READ, &page);
        if (error)
            return error;
        const char *text = page;
        size_t n = bytes_in_page(from + done, size - done);
        for (size_t i = 0; i < n; i++) {
            to[done + i] = text[i];
            if (to[done + i] == '\0')
                return (int64_t)(done + i);
        }
        done += n;
    }
    return -ENAMETOOLONG;
}
