// Which words of memory harts share: what is learnt from a run, and what the next runs watch.
//
// A word is watched if several harts use it with atomic instructions, or if two of them touch it,
// at least one writes, and nothing orders the two accesses. Words that change hands in good order
// are not watched: what a lock protects, a page that is freed and allocated again, the stack of a
// process that moves to another hart. What orders accesses is found with vector clocks, as race
// detectors do it: Flanagan and Freund, "FastTrack: Efficient and Precise Dynamic Race Detection",
// PLDI 2009.
#pragma once
#include "cpu/observer.h"
#include "memory/paged.h"

enum { WORD_BYTES = 8, WORDS_PER_PAGE = PAGE_BYTES / WORD_BYTES, WORDS_HARTS = 8 };

// For each hart, how many times it has let others know what it had done until then.
struct vector_clock {
    uint32_t of[WORDS_HARTS];
};

struct word {
    struct vector_clock *told; // what those who read the word know; NULL: it tells nothing
    struct vector_clock read_at;
    uint32_t written_at;
    uint8_t written_by; // counted from 1; 0: nobody
    uint8_t touched_by; // a bit for each hart
    bool is_atomic, is_written, is_contended, is_watched;
};

struct word_page {
    uint64_t watched; // how many of them
    struct word words[WORDS_PER_PAGE];
};

// Words are counted from the beginning of memory.
struct words {
    uint64_t page_count;
    struct word_page **pages; // NULL: nothing is known
    uint64_t watched;
    struct vector_clock harts[WORDS_HARTS];  // what each knows
    struct vector_clock heard[WORDS_HARTS];  // what it knows after its next fence
    struct vector_clock fenced[WORDS_HARTS]; // what it knew at its last fence
};

// Makes w ready for that much memory. Returns false without memory of the host.
bool words_init(struct words *w, uint64_t page_count);
void words_destroy(struct words *w);

// An access to a word.
struct touch {
    uint64_t word;
    unsigned hart;
    unsigned kind; // enum observed; one that reads and writes is atomic
};

// Notes an access. Returns false without memory of the host.
bool words_note(struct words *w, const struct touch *t);

// Notes a fence, of any kind.
void words_fence(struct words *w, unsigned hart);

// Watches the words that this run has shown to be shared, and forgets who has touched what. Returns
// how many are new.
uint64_t words_learn(struct words *w);

static inline bool words_is_watched(const struct words *w, uint64_t word) {
    const struct word_page *page = w->pages[word / WORDS_PER_PAGE];
    return page != NULL && page->words[word % WORDS_PER_PAGE].is_watched;
}

static inline bool words_has_page(const struct words *w, uint64_t page) {
    return w->pages[page] != NULL && w->pages[page]->watched > 0;
}
