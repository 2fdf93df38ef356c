// Pipes. The numbers of bytes written and read so far only grow; their difference is what the ring
// contains.
#include "fs/pipe.h"
#include "abi/errno.h"
#include "arch/address.h"
#include "lib/panic.h"
#include "mem/frame.h"
#include "sched/wait.h"

// A pipe fills a frame.
struct pipe {
    struct spinlock lock;
    bool is_open[2];         // [lock] by enum pipe_end
    struct waitq waiters[2]; // [lock] by enum pipe_end
    size_t written, read;    // [lock]
    char ring[];             // [lock] RING_BYTES of them
};

enum { RING_BYTES = PAGE_SIZE - sizeof(struct pipe) };

struct pipe *pipe_alloc(void) {
    struct frame *f = frame_alloc(FRAME_PIPE);
    if (f == NULL)
        return NULL;
    struct pipe *p = frame_ptr(f);
    *p = (struct pipe){.lock = SPINLOCK(RANK_PIPE), .is_open = {true, true}};
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
    if (is_last)
        frame_put(frame_of(p));
}

// Returns how many bytes from `position` on, at most a and b, lie in one piece of the ring.
static size_t piece_at(size_t position, size_t a, size_t b) {
    return min(RING_BYTES - position % RING_BYTES, min(a, b));
}

int64_t pipe_read(struct pipe *p, struct spans *to) {
    size_t before = to->size;
    int error = 0;
    spin_lock(&p->lock);
    while (p->read == p->written && p->is_open[PIPE_WRITER] && error == 0)
        error = wait_sleep_killable(&p->waiters[PIPE_READER], &p->lock);
    while (p->read != p->written && to->size > 0 && error == 0) {
        size_t n = piece_at(p->read, to->size, p->written - p->read);
        spans_fill(to, p->ring + p->read % RING_BYTES, n);
        p->read += n;
    }
    wait_wake_all(&p->waiters[PIPE_WRITER]);
    spin_unlock(&p->lock);
    return error ? error : (int64_t)(before - to->size);
}

// Writes what fits in one piece or, if there is no room, waits for some.
static int write_piece(struct pipe *p, struct spans *from) {
    assert(spin_held(&p->lock));
    size_t room = RING_BYTES - (p->written - p->read);
    if (!p->is_open[PIPE_READER])
        return -EPIPE;
    if (room == 0)
        return wait_sleep_killable(&p->waiters[PIPE_WRITER], &p->lock);
    size_t n = piece_at(p->written, from->size, room);
    spans_drain(from, p->ring + p->written % RING_BYTES, n);
    p->written += n;
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
