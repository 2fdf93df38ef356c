// The simulator's TLB, store buffer, and what it learns about shared words: against models that
// remember everything.
#include "test.h"

#include <string.h>

#include "cpu/hart.h"
#include "cpu/stores.h"
#include "cpu/tlb.h"
#include "memory/host.h"
#include "schedule/words.h"

enum { STEPS = 200000, ADDED_MAX = 64 };

void *host_alloc(size_t bytes) {
    return calloc(1, bytes);
}

void host_free(void *memory) {
    free(memory);
}

static uint64_t random_state = 1;

static uint64_t below(uint64_t end) {
    return random_next(&random_state) % end;
}

// ---- TLB ----

// Pages that share tables of some levels.
static uint64_t any_page(void) {
    static const uint64_t pages[] = {0, 1, 2, 64, 512, 513, 1024, 1 << 18, (1 << 18) + 1};
    return pages[below(ARRAY_SIZE(pages))];
}

// What was done, in order: an entry was added, or, if it has no address, there was a fence.
struct event {
    struct translation added;
    uint64_t page, asid;
};

static bool is_in_range(uint64_t page, const struct translation *t) {
    uint64_t first = t->page, pages = 1;
    for (unsigned i = 0; i < t->level; i++)
        pages *= 512;
    first -= first % pages;
    return page >= first && page < first + pages;
}

static bool covers(const struct event *fence, const struct translation *t) {
    bool is_for_page = fence->page == TLB_ALL || is_in_range(fence->page, t);
    bool is_for_space = fence->asid == TLB_ALL || (!t->is_global && fence->asid == t->asid);
    return is_for_page && is_for_space;
}

// True if the entry with that address was added, and no fence has covered it since.
static bool is_allowed(const struct event *events, unsigned count, uint64_t address) {
    while (count-- > 0) {
        if (events[count].added.address == address)
            return true;
        for (unsigned i = 0; events[count].added.address == 0 && i < count; i++) {
            if (events[i].added.address == address && covers(&events[count], &events[i].added))
                return false;
        }
    }
    return false;
}

static void check_found(struct tlb *t, const struct event *events, unsigned count) {
    struct translation *found[TLB_WAYS];
    uint64_t page = any_page();
    uint32_t asid = below(3);
    unsigned number = tlb_find(t, page, asid, found);
    for (unsigned i = 0; i < number; i++) {
        CHECK_EQUAL(page, found[i]->page);
        CHECK(found[i]->is_global || found[i]->asid == asid);
        CHECK(is_allowed(events, count, found[i]->address));
        CHECK(tlb_may_use(t, found[i]));
        CHECK(i == 0 || found[i - 1]->read_at < found[i]->read_at);
    }
}

TEST(tlb_holds_nothing_that_a_fence_covers) {
    for (unsigned round = 0; round < STEPS / ADDED_MAX; round++) {
        static struct tlb t;
        struct event events[ADDED_MAX];
        t = (struct tlb){0};
        for (unsigned i = 0; i < ADDED_MAX; i++) {
            events[i] = (struct event){.page = any_page(), .asid = below(3)};
            struct translation read = {
                .page = any_page(),
                .pte = 0xf,
                .address = i + 1,
                .asid = below(3),
                .level = below(3),
                .is_global = below(4) == 0,
            };
            if (below(4) == 0) {
                events[i].page = below(2) ? events[i].page : TLB_ALL;
                events[i].asid = below(2) ? events[i].asid : TLB_ALL;
                tlb_fence(&t, events[i].page, events[i].asid);
            } else {
                events[i].added = read;
                tlb_add(&t, read);
            }
            check_found(&t, events, i + 1);
        }
    }
}

static unsigned count_found(struct tlb *t, uint64_t page, uint32_t asid) {
    struct translation *found[TLB_WAYS];
    return tlb_find(t, page, asid, found);
}

TEST(tlb_keeps_what_no_fence_covers) {
    static struct tlb t;
    tlb_add(&t, (struct translation){.page = 5, .pte = 0xf, .asid = 1});
    tlb_add(&t, (struct translation){.page = 5, .pte = 0xf, .asid = 1});
    CHECK_EQUAL(2, count_found(&t, 5, 1));
    tlb_fence(&t, 6, TLB_ALL);
    tlb_fence(&t, TLB_ALL, 2);
    tlb_fence(&t, 5, 2);
    CHECK_EQUAL(2, count_found(&t, 5, 1));
    CHECK_EQUAL(0, count_found(&t, 5, 2));
    tlb_add(&t, (struct translation){.page = 6, .pte = 0xf, .asid = 1, .is_global = true});
    tlb_fence(&t, TLB_ALL, 1);
    CHECK_EQUAL(0, count_found(&t, 5, 1));
    CHECK_EQUAL(1, count_found(&t, 6, 7));
}

TEST(tlb_pointers_survive_fences_for_a_page) {
    static struct tlb t;
    tlb_add_pointer(&t, (struct translation){.page = 5, .pte = 1, .asid = 1, .level = 1});
    tlb_fence(&t, 5, TLB_ALL);
    CHECK(tlb_find_pointer(&t, 6, 1, 1) != NULL); // another page of the same table
    CHECK(tlb_find_pointer(&t, 512, 1, 1) == NULL);
    CHECK(tlb_find_pointer(&t, 5, 1, 2) == NULL);
    tlb_fence(&t, TLB_ALL, 1);
    CHECK(tlb_find_pointer(&t, 6, 1, 1) == NULL);
}

TEST(tlb_says_which_page_had_to_leave) {
    static struct tlb t;
    for (unsigned i = 0; i < TLB_WAYS; i++)
        CHECK_EQUAL(TLB_NO_PAGE, tlb_add(&t, (struct translation){.page = i * TLB_ROWS}));
    CHECK_EQUAL(0, tlb_add(&t, (struct translation){.page = TLB_WAYS * TLB_ROWS}));
}

// ---- Store buffer ----

TEST(hart_sees_its_own_stores) {
    uint8_t memory[32] = {0}, seen[32] = {0};
    struct stores s = {0};
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned bytes = 1 << below(4), address = below(sizeof memory - 8), size = 1 + below(8);
        uint64_t value = random_next(&random_state), read = 0, expected = 0;
        if (s.count == STORES_MAX || (s.count > 0 && below(2))) {
            struct store oldest = stores_take(&s);
            memcpy(memory + oldest.address, &oldest.value, oldest.bytes);
        } else {
            stores_add(&s, (struct store){address, value, bytes});
            memcpy(seen + address, &value, bytes);
        }
        unsigned place = below(sizeof memory - 8);
        memcpy(&read, memory + place, size);
        memcpy(&expected, seen + place, size);
        bool differs = read != expected;
        CHECK(!differs || stores_overlap(&s, place, size));
        CHECK_EQUAL(expected, stores_forward(&s, place, size, read));
    }
}

// ---- Shared words ----

enum { READ = OBSERVED_READ, WRITE = OBSERVED_WRITE, UPDATE = READ | WRITE };
enum { LOCK = UPDATE | OBSERVED_ACQUIRE, UNLOCK = WRITE | OBSERVED_RELEASE };
enum { DATA = 3, THE_LOCK = 700 };

static struct words new_words(void) {
    struct words w;
    CHECK(words_init(&w, 4));
    return w;
}

static void touch(struct words *w, unsigned hart, uint64_t word, unsigned kind) {
    CHECK(words_note(w, &(struct touch){word, hart, kind}));
}

// Both harts do that to the same word, one after the other; the lock may protect it.
static bool is_shared(unsigned first, unsigned second, bool is_locked) {
    struct words w = new_words();
    for (unsigned hart = 0; hart < 2; hart++) {
        if (is_locked)
            touch(&w, hart, THE_LOCK, LOCK);
        touch(&w, hart, DATA, hart == 0 ? first : second);
        if (is_locked)
            touch(&w, hart, THE_LOCK, UNLOCK);
    }
    words_learn(&w);
    CHECK_EQUAL(is_locked, words_is_watched(&w, THE_LOCK));
    bool is_watched = words_is_watched(&w, DATA);
    CHECK(!is_watched || words_has_page(&w, 0));
    words_destroy(&w);
    return is_watched;
}

TEST(words_are_watched_if_nothing_orders_accesses) {
    CHECK(is_shared(WRITE, READ, false));
    CHECK(is_shared(READ, WRITE, false));
    CHECK(is_shared(WRITE, WRITE, false));
    CHECK(!is_shared(READ, READ, false));
    CHECK(is_shared(UPDATE, UPDATE, false));
    CHECK(!is_shared(WRITE, READ, true));
    CHECK(!is_shared(READ, WRITE, true));
    CHECK(!is_shared(WRITE, WRITE, true));
    CHECK(is_shared(UPDATE, UPDATE, true));
}

TEST(fences_order_accesses) {
    for (unsigned fences = 0; fences < 4; fences++) {
        struct words w = new_words();
        touch(&w, 0, THE_LOCK, UPDATE); // both harts tell each other things there
        touch(&w, 0, DATA, WRITE);
        if (fences & 1)
            words_fence(&w, 0);
        touch(&w, 0, THE_LOCK, WRITE);
        touch(&w, 1, THE_LOCK, READ);
        if (fences & 2)
            words_fence(&w, 1);
        touch(&w, 1, DATA, READ);
        words_learn(&w);
        CHECK_EQUAL(fences != 3, words_is_watched(&w, DATA));
        words_destroy(&w);
    }
}

TEST(learning_adds_words) {
    struct words w = new_words();
    touch(&w, 0, DATA, WRITE);
    touch(&w, 1, DATA, WRITE);
    CHECK_EQUAL(1, words_learn(&w));
    touch(&w, 0, DATA, WRITE);
    touch(&w, 1, DATA, WRITE);
    touch(&w, 0, DATA + 1, WRITE);
    CHECK_EQUAL(0, words_learn(&w));
    CHECK(words_is_watched(&w, DATA) && !words_is_watched(&w, DATA + 1));
    touch(&w, 1, DATA + 1, WRITE);
    CHECK_EQUAL(0, words_learn(&w)); // who had touched it before is forgotten
    words_destroy(&w);
}
