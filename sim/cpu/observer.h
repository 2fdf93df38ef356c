// Who wants to know what harts do: a struct observer about loads, stores and atomic instructions
// that reach memory, a struct listener about the rest.
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct hart;

// What an access does, together.
enum observed {
    OBSERVED_READ = 1,
    OBSERVED_WRITE = 2,
    OBSERVED_ACQUIRE = 4, // an atomic instruction that later accesses come after
    OBSERVED_RELEASE = 8, // and one that comes after earlier accesses
};

struct observer {
    // A hart is about to access 1 to 8 bytes at a physical address, within a page. Returns false if
    // it must not: then the hart's turn ends before the instruction.
    bool (*before)(struct observer *o, struct hart *h, uint64_t pa, unsigned bytes, unsigned kind);
    // The hart executes a fence.
    void (*fenced)(struct observer *o, struct hart *h);
    // A hart has changed what memory holds there; or, if it is NULL, a device may have.
    void (*changed)(struct observer *o, struct hart *h, uint64_t pa, uint64_t bytes);
    // Returns true if accesses to the page need not be reported.
    bool (*is_quiet)(struct observer *o, uint64_t pa, bool is_write);
};

// Who wants to know what else harts do. A function that is NULL is not called.
struct listener {
    // The hart is at the handler of a trap, or, if it executes no instruction, of an interrupt.
    void (*trapped)(struct listener *l, const struct hart *h, uint64_t cause, uint64_t value);
    // It has another satp now.
    void (*switched)(struct listener *l, const struct hart *h, uint64_t before);
    // It forgets translations, as translate_fence says, or instructions.
    void (*fenced)(struct listener *l, const struct hart *h, uint64_t va, uint64_t asid);
    void (*fenced_code)(struct listener *l, const struct hart *h);
    // Its walk through the page table has set A or D in the entry there.
    void (*marked)(struct listener *l, const struct hart *h, uint64_t pa);
};
