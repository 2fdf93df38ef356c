// The kernel's access to user memory. Page by page, it resolves an address as the program's own
// access would, and then uses the kernel's map of all memory. A pointer or span stays valid while
// the caller runs in the space and does not change its layout. Every function may sleep, so no lock
// may be held. Errors: -EFAULT, -ENOMEM, -EIO.
#pragma once
#include "lib/span.h"
#include "vm/addrspace.h"

// Stores in *pointer the kernel's address of the byte at va.
int user_page(struct addrspace *as, vaddr_t va, enum access access, void **pointer);

// ---- Spans ----

// Resolves the n bytes from va on, but no more than *s can hold, and only up to a page that cannot
// be resolved. s->size tells how many bytes were resolved. Fails only if the first page cannot be.
int user_spans(struct addrspace *as, vaddr_t va, size_t n, enum access access, struct spans *s);

// As user_spans, for all n bytes, which must fit into *s. If a page other than the first cannot be
// resolved, the error is -EFAULT, whatever the reason.
int user_spans_all(struct addrspace *as, vaddr_t va, size_t n, enum access access, struct spans *s);

// ---- Copies ----

// Copy n bytes (at most a page) in or out: all or nothing.
int user_copy_in(struct addrspace *as, void *to, vaddr_t from, size_t n);
int user_copy_out(struct addrspace *as, vaddr_t to, const void *from, size_t n);

// Copies a string with its final zero, and returns its length. Additional error: -ENAMETOOLONG (it
// does not fit into size bytes).
int64_t user_copy_string(struct addrspace *as, char *to, vaddr_t from, size_t size);
