// Who wants to know about loads, stores and atomic instructions that reach memory.
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
