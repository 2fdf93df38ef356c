// What the tests of cowtest share: pages with a pattern, processes that take turns, processes that
// start together, and nearly full memory.
#pragma once

#include "abi/memory.h"
#include "abi/types.h"
#include "cowtest_words.h"
#include "test.h"

enum {
    TABLE_PAGES = 512, // pages that one leaf table maps
};

#define PROGRAM "/cowtest" // a file of several pages

// Executes cowtest with one argument, which must work: see run_as_helper in cowtest.c.
_Noreturn void program_execute(char *argument);

// ---- Pages ----

// The state of a page of a private region, as pagemap's flags.
enum {
    PAGE_ABSENT = 0,
    PAGE_OWN = PAGE_PRESENT | PAGE_WRITE,  // written without a fault
    PAGE_MARKED = PAGE_PRESENT | PAGE_COW, // the next write faults
};

// Grows the heap by that many pages, which are untouched. Ends the test if there is no memory.
char *heap_grow(size_t page_count);
void heap_shrink(size_t page_count);

// As heap_grow, but filled with a pattern that differs from page to page and from seed to seed.
char *heap_grow_filled(size_t page_count, unsigned seed);
void pattern_fill(char *pages, size_t page_count, unsigned seed);
bool pattern_matches(const char *pages, size_t page_count, unsigned seed);

// Ends the test unless the pages have the pattern.
#define CHECK_PATTERN(pages, page_count, seed, ...) \
    check_pattern(__FILE__, __LINE__, "" __VA_ARGS__, (pages), (page_count), (seed))
void check_pattern(const char *file, int line, const char *meaning, const char *pages,
                   size_t page_count, unsigned seed);

// pipe that must work.
void pipe_open(int *fds);

// The page that holds *p in a process.
struct pageinfo page_of(pid_t pid, const void *p);

// Checks the flags of PAGE_OWN and PAGE_MARKED, and the number of sharers. What is wrong, and what
// that means, follows from these.
#define CHECK_PAGE(pid, p, state, sharers, ...) \
    check_page(__FILE__, __LINE__, "" __VA_ARGS__, (pid), (p), (state), (sharers))
void check_page(const char *file, int line, const char *meaning, pid_t pid, const void *p,
                unsigned state, unsigned sharers);

// Checks what happened since `before`: frames used, copies on write, writes by a last owner.
#define CHECK_COST(before, frames, copies, reuses, ...) \
    check_cost(__FILE__, __LINE__, "" __VA_ARGS__, (before), (frames), (copies), (reuses))
void check_cost(const char *file, int line, const char *meaning, const struct memstat *before,
                long frames, long copies, long reuses);
uint64_t faults_since(const struct memstat *before, enum fault_kind kind);

// ---- Processes ----

// A parent and a child that take turns. Both own the pages of their program and stack, so that what
// they do costs only what it must.
struct turns {
    int to_child[2], to_parent[2];
    pid_t child;
};

// Forks. Returns the child's pid in the parent when the child has come to wait, and 0 in the child
// at the parent's first turns_next.
pid_t turns_fork(struct turns *t);

// Parent: lets the child run to its next turns_pause. False if the child has ended instead.
bool turns_next(struct turns *t);

// Child: lets the parent continue, until its next turns_next (or turns_close).
void turns_pause(struct turns *t);

// Parent: lets the child run to its end, which it expects with status 0.
void turns_close(struct turns *t);

// A gate at which any number of children wait until the parent opens it.
struct gate {
    int fd[2];
};

void gate_init(struct gate *g);
void gate_wait(struct gate *g); // in a child
void gate_open(struct gate *g); // in the parent

// The machine's clock, and waiting until it shows a time, to start several processes together.
uint64_t time_now(void);
void time_wait(uint64_t when);

// ---- Nearly full memory ----

// Frames that are neither used nor reserved.
size_t frames_available(void);

// Leaves at most that many frames available; a child reserves the rest and waits until
// memory_unlimit. For tests that want to fill what there is. Once at a time, and before the test
// has memory of its own.
void memory_limit(size_t frames);
void memory_unlimit(void);

// Grows the caller's heap without touching it until at most `keep` frames are available; returns
// how many are. memory_release shrinks the heap to where the first memory_fill found it.
size_t memory_fill(size_t keep);
void memory_release(void);

// ---- What cowtest does as another program ----

// Follows a page from fork to its last owner's write, from outside the processes that have it: see
// cowtest_outside.c.
void check_page_step_by_step(void);
int subject_run(void); // what `cowtest --subject` does

// What `cowtest --exercise` and `cowtest --keep` do: see cowtest_exercise.c. They return the exit
// status.
int exercise_run(void);
int keep_run(void);

// What `cowtest --data` does: see read_into_untouched_data. Returns what the program's data holds.
int data_run(void);
