// User memory as the kernel reaches it: page by page, resolved as the program's own access would
// be, through the kernel's map. A pointer or span stays good while the caller runs in the space and
// changes nothing of its layout. All of this may sleep, so no lock may be held. Errors: -EFAULT,
// -ENOMEM, -EIO.
#pragma once
#include "lib/span.h"
#include "vm/addrspace.h"

// Stores the kernel's pointer to the byte at va.
int user_page(struct addrspace *as, vaddr_t va, enum access access, void **pointer);
// Resolves up to n bytes from va on, at most what spans hold at once; fails if the first page
// cannot be had. s->size tells how much was resolved.
int user_spans(struct addrspace *as, vaddr_t va, size_t n, enum access access, struct spans *s);
// The same, but all n bytes or -EFAULT.
int user_spans_all(struct addrspace *as, vaddr_t va, size_t n, enum access access, struct spans *s);
// Copy n bytes (at most a page) in or out: all or nothing.
int user_copy_in(struct addrspace *as, void *to, vaddr_t from, size_t n);
int user_copy_out(struct addrspace *as, vaddr_t to, const void *from, size_t n);
// Copies a string with its final zero; -ENAMETOOLONG if it has more than size bytes. Returns the
// length.
int64_t user_copy_string(struct addrspace *as, char *to, vaddr_t from, size_t size);
