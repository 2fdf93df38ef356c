// Pipes. The counts of bytes ever written and read only grow; their difference is what is in the ring.
#include "fs/pipe.h"

#include "abi/errno.h"
#include "arch/address.h"
#include "mem/frame.h"
#include "mem/pool.h"
#include "sched/wait.h"

enum { PIPES_MAX = 512 };

struct pipe {
    struct spinlock lock;
    char *ring;              // [I] one frame
    size_t written, read;    // [lock]
    bool is_open[2];         // [lock] by enum pipe_end
    struct waitq waiters[2]; // [lock] by enum pipe_end
};

static struct pool pool;

void pipe_init(void)
{
    pool_init(&pool, sizeof(struct pipe), PIPES_MAX);
}

struct pipe *pipe_alloc(void)
{
    struct frame *f = frame_alloc(FRAME_PIPE);
    if (f == NULL)
        return NULL;
    struct pipe *p = pool_alloc(&pool);
    if (p == NULL) {
        frame_put(f);
        return NULL;
    }
    *p = (struct pipe){.lock = SPINLOCK(RANK_PIPE), .ring = frame_ptr(f), .is_open = {true, true}};
    waitq_init(&p->waiters[PIPE_READER]);
    waitq_init(&p->waiters[PIPE_WRITER]);
    return p;
}

void pipe_close(struct pipe *p, enum pipe_end end)
{
    spin_lock(&p->lock);
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
static size_t piece(size_t position, size_t a, size_t b)
{
    size_t n = PAGE_SIZE - position % PAGE_SIZE;
    n = a < n ? a : n;
    return b < n ? b : n;
}

int64_t pipe_read(struct pipe *p, struct spans *to)
{
    size_t before = to->size;
    int error = 0;
    spin_lock(&p->lock);
    while (p->read == p->written && p->is_open[PIPE_WRITER] && error == 0)
        error = wait_sleep_killable(&p->waiters[PIPE_READER], &p->lock);
    while (p->read != p->written && to->size > 0 && error == 0) {
        size_t n = piece(p->read, to->size, p->written - p->read);
        spans_fill(to, p->ring + p->read % PAGE_SIZE, n);
        p->read += n;
    }
    wait_wake_all(&p->waiters[PIPE_WRITER]);
    spin_unlock(&p->lock);
    return error ? error : (int64_t)(before - to->size);
}

int64_t pipe_write(struct pipe *p, struct spans *from)
{
    size_t before = from->size;
    int error = 0;
    spin_lock(&p->lock);
    while (from->size > 0 && error == 0) {
        size_t room = PAGE_SIZE - (p->written - p->read);
        if (!p->is_open[PIPE_READER]) {
            error = -EPIPE;
        } else if (room == 0) {
            error = wait_sleep_killable(&p->waiters[PIPE_WRITER], &p->lock);
        } else {
            size_t n = piece(p->written, from->size, room);
            spans_drain(from, p->ring + p->written % PAGE_SIZE, n);
            p->written += n;
            wait_wake_all(&p->waiters[PIPE_READER]);
        }
    }
    spin_unlock(&p->lock);
    return from->size < before ? (int64_t)(before - from->size) : error;
}
