// The instruction cache: pages of decoded instructions. In a kind machine all harts share one, and
// it follows what is written. Otherwise each hart has its own, which goes on showing the bytes of a
// page as they were when it was first fetched from, until FENCE.I, or until the page is forgotten
// by chance.
#pragma once
#include "cpu/hart.h"
#include "memory/hash.h"

void code_init(struct hart *h);

// Returns the hart's page of decoded instructions for a physical address; NULL without memory.
struct code_page *code_find(struct hart *h, uint64_t pa);

// Reads up to 4 bytes of an instruction in that page.
uint32_t code_read(const struct system *s, const struct code_page *code, unsigned offset,
                   unsigned bytes);

// True if instructions may have been decoded from the page of that address that must follow what is
// written there.
bool code_is_in(const struct system *s, uint64_t pa);

// Returns up to 4 bytes as the hart would fetch them, within a page of memory; changes nothing.
uint32_t code_peek(const struct hart *h, uint64_t pa, unsigned bytes);

// Forgets how the instructions at that place of a page were decoded.
void code_decode_again(struct system *s, uint64_t pc);

// Those bytes were written.
void code_written(struct system *s, uint64_t pa, uint64_t bytes);

// Executes FENCE.I.
void code_fence(struct hart *h);

// Lets the cache do what happens by chance, now and then: forget pages, if it is the hart's own.
void code_tick(struct hart *h);

// Drops all decoded instructions.
void code_drop(struct system *s);

// Gives the memory back.
void code_destroy(struct system *s);

// What one place of a cache holds, for snapshots.
struct code_kept {
    uint64_t page;
    struct page *held;
};

// Returns how many places there are that belong to the machine's state.
size_t code_places(const struct system *s);

// Keep what is there, with an owner more of each page; go back to it; give it back.
void code_keep(const struct system *s, struct code_kept kept[]);
bool code_restore(struct system *s, const struct code_kept kept[]);
void code_release(struct code_kept kept[], size_t places);

// Hashes what is there.
void code_hash(const struct system *s, struct hash *hash);
