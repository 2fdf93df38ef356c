// Pipes. The numbers of bytes written and read so far only grow; their difference is what the ring
// contains. While the ring is empty and a reader waits, a writer hands its bytes over directly,
// without a copy in between. The reader's memory stays what it is meanwhile, because nobody else
// runs in its address space.
#include "fs/pipe.h"
#include "abi/errno.h"
#include "arch/address.h"
#include "lib/panic.h"
#include "mem/frame.h"
#include "mem/pool.h"
#include "sched/task.h"
#include "sched/wait.h"

struct pipe {
    struct spinlock lock;
    bool is_open[2];         // [lock] by enum pipe_end
    struct waitq waiters[2]; // [lock] by enum pipe_end
    struct spans *sink;      // [lock] memory of a reader that waits, or NULL
    struct task *sink_owner; // [lock] that reader
    size_t written, read;    // [lock]
    char *ring;              // [I] a frame; its bytes [lock]
};

enum { RING_BYTES = PAGE_SIZE };

static struct pool pool;

void pipe_init(size_t pipes_max) {
    pool_init(&pool, sizeof(struct pipe), pipes_max);
}

struct pipe *pipe_alloc(void) {
    struct frame *f = frame_alloc(FRAME_PIPE);
    if (f == NULL)
        return NULL;
    struct pipe *p = pool_alloc(&pool);
    assert(p != NULL);
    *p = (struct pipe){.lock = SPINLOCK(RANK_PIPE), .is_open = {true, true}, .ring = frame_ptr(f)};
    waitq_init(&p->waiters[PIPE_READER]);
    waitq_init(&p->waiters[PIPE_WRITER]);
    return p;
}

void pipe_close(struct pipe *p, enum pipe_end end) {
    spin_lock(&p->lock);
    assert(p->is_open[end]);
    p->is_open[end] = false;
    bool is_last = !p->is_open[!end];
    wait_wake_all(&p->waiters[!end]);
    spin_unlock(&p->lock);
    if (is_last) {
        frame_put(frame_of(p->ring));
        pool_free(&pool, p);
    }
}

// Returns how many bytes from `position` on, at most a and b, lie in one piece of the ring.
static size_t piece_at(size_t position, size_t a, size_t b) {
    return min(RING_BYTES - position % RING_BYTES, min(a, b));
}

// Waits until there is something to read, or a writer has handed something over to `to`. Errors:
// -EINTR.
static int wait_for_bytes(struct pipe *p, struct spans *to) {
    if (p->sink == NULL && to->size > 0) {
        p->sink = to;
        p->sink_owner = task_self();
    }
    int error = wait_sleep_killable(&p->waiters[PIPE_READER], &p->lock);
    if (p->sink == to)
        p->sink = NULL;
    return error;
}

int64_t pipe_read(struct pipe *p, struct spans *to) {
    size_t before = to->size;
    int error = 0;
    spin_lock(&p->lock);
    while (p->read == p->written && to->size == before && p->is_open[PIPE_WRITER] && error == 0)
        error = wait_for_bytes(p, to);
    while (p->read != p->written && to->size > 0 && error == 0) {
        size_t n = piece_at(p->read, to->size, p->written - p->read);
        spans_fill(to, p->ring + p->read % RING_BYTES, n);
        p->read += n;
    }
    wait_wake_all(&p->waiters[PIPE_WRITER]);
    spin_unlock(&p->lock);
    return error ? error : (int64_t)(before - to->size);
}

// True if bytes can be handed over to a reader. One that has been killed will not read any more.
static bool has_sink(const struct pipe *p) {
    return p->sink != NULL && p->read == p->written && !task_was_killed(p->sink_owner);
}

// Hands over as much as the waiting reader wants.
static void fill_sink(struct pipe *p, struct spans *from) {
    spans_move(p->sink, from, min(p->sink->size, from->size));
    p->sink = NULL;
}

// Writes what fits in one piece or, if there is no room, waits for some.
static int write_piece(struct pipe *p, struct spans *from) {
    assert(spin_held(&p->lock));
    size_t room = RING_BYTES - (p->written - p->read);
    if (!p->is_open[PIPE_READER])
        return -EPIPE;
    if (room == 0)
        return wait_sleep_killable(&p->waiters[PIPE_WRITER], &p->lock);
    if (has_sink(p)) {
        fill_sink(p, from);
    } else {
        size_t n = piece_at(p->written, from->size, room);
        spans_drain(from, p->ring + p->written % RING_BYTES, n);
        p->written += n;
    }
    wait_wake_all(&p->waiters[PIPE_READER]);
    return 0;
}

int64_t pipe_write(struct pipe *p, struct spans *from) {
    size_t before = from->size;
    int error = 0;
    spin_lock(&p->lock);
    while (from->size > 0 && error == 0)
        error = write_piece(p, from);
    spin_unlock(&p->lock);
    return from->size < before ? (int64_t)(before - from->size) : error;
}
