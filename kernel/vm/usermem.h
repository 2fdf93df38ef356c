// User memory as the kernel reaches it: page by page, resolved as the program's own access would
// be, and then through the kernel's map of all memory. A pointer or span stays valid while the
// caller runs in the space and does not change its layout. All of this may sleep, so no lock may be
// held. Errors: -EFAULT, -ENOMEM, -EIO.
#pragma once
#include "lib/span.h"
#include "vm/addrspace.h"

// Stores the kernel's pointer to the byte at va.
int user_page(struct addrspace *as, vaddr_t va, enum access access, void **pointer);

// ---- Spans ----

// Resolves up to n bytes from va on, at most as many as spans hold at once; fails only if the first
// page cannot be resolved. s->size tells how many bytes were.
int user_spans(struct addrspace *as, vaddr_t va, size_t n, enum access access, struct spans *s);

// The same for all n bytes, which must fit into spans. Errors: -EFAULT also if a later page cannot
// be had for another reason.
int user_spans_all(struct addrspace *as, vaddr_t va, size_t n, enum access access, struct spans *s);

// ---- Copies ----

// Copy n bytes (at most a page) in or out: all or nothing.
int user_copy_in(struct addrspace *as, void *to, vaddr_t from, size_t n);
int user_copy_out(struct addrspace *as, vaddr_t to, const void *from, size_t n);

// Copies a string with its final zero and returns its length. Errors, besides: -ENAMETOOLONG (it
// does not fit into size bytes).
int64_t user_copy_string(struct addrspace *as, char *to, vaddr_t from, size_t size);
