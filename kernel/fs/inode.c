// The contents of inodes. fs/filemap.c finds their blocks.
#include "fs/inode.h"
#include "abi/errno.h"
#include "arch/address.h"
#include "fs/filemap.h"
#include "fs/log.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mem/frame.h"

// As inode_block, but takes new blocks from the run.
static int get_block(struct inode *ip, uint64_t index, struct block_run *run, struct block **b) {
    assert(inode_is_locked(ip));
    if (index < filemap_blocks(&ip->disk))
        return filemap_get(&ip->disk, index, b);
    assert(mutex_held(&ip->mutex));
    return filemap_append(&ip->disk, index, run, b);
}

int inode_block(struct inode *ip, uint64_t index, struct block **b) {
    struct block_run run = {0};
    int error = get_block(ip, index, &run, b);
    if (error)
        block_run_end(&run);
    return error;
}

// Returns how many bytes from offset on, at most `limit`, lie in one block.
static size_t piece_at(uint64_t offset, size_t limit) {
    return min(limit, BLOCK_SIZE - offset % BLOCK_SIZE);
}

int64_t inode_read_spans(struct inode *ip, uint64_t offset, struct spans *to) {
    assert(inode_is_locked(ip));
    if (offset >= ip->disk.size)
        return 0;
    size_t done = 0, wanted = min(to->size, ip->disk.size - offset);
    while (done < wanted) {
        struct block *b;
        uint64_t at = offset + done;
        size_t piece = piece_at(at, wanted - done);
        int error = inode_block(ip, at / BLOCK_SIZE, &b);
        if (error)
            return done > 0 ? (int64_t)done : error;
        spans_fill(to, b->data + at % BLOCK_SIZE, piece);
        cache_put(b);
        done += piece;
    }
    return (int64_t)done;
}

int64_t inode_read(struct inode *ip, uint64_t offset, void *to, size_t n) {
    struct spans s;
    spans_init(&s, to, n);
    return inode_read_spans(ip, offset, &s);
}

// Writes n bytes that lie in one block. The file grows if they end after its end.
static int write_piece(struct inode *ip, uint64_t offset, struct spans *from, size_t n,
                       struct block_run *run) {
    struct block *b;
    bool is_new = offset / BLOCK_SIZE >= filemap_blocks(&ip->disk);
    int error = get_block(ip, offset / BLOCK_SIZE, run, &b);
    if (error)
        return error;
    if (is_new) // files have no holes, so it is written from its start
        memset(b->data + n, 0, BLOCK_SIZE - n);
    spans_drain(from, b->data + offset % BLOCK_SIZE, n);
    log_write(b);
    ip->disk.size = max(ip->disk.size, offset + n);
    return 0;
}

int64_t inode_write_spans(struct inode *ip, uint64_t offset, struct spans *from, size_t n) {
    assert(mutex_held(&ip->mutex) && rank_held(RANK_TRANSACTION) && n <= TRANSACTION_BYTES);
    uint64_t old_size = ip->disk.size;
    if (offset > old_size)
        return -EINVAL;
    uint64_t before = round_up(old_size, BLOCK_SIZE), after = round_up(offset + n, BLOCK_SIZE);
    struct block_run run = {.wanted = (max(before, after) - before) / BLOCK_SIZE};
    size_t done = 0;
    int error = 0;
    while (done < n && error == 0) {
        size_t piece = piece_at(offset + done, n - done);
        error = write_piece(ip, offset + done, from, piece, &run);
        if (error == 0)
            done += piece;
    }
    block_run_end(&run); // after an error some may be left
    if (ip->disk.size > old_size && inode_update(ip) != 0)
        return -EIO;
    return done > 0 ? (int64_t)done : error;
}

int64_t inode_write(struct inode *ip, uint64_t offset, const void *from, size_t n) {
    struct spans s;
    spans_init(&s, (void *)from, n);
    return inode_write_spans(ip, offset, &s, n);
}

void inode_stat(struct inode *ip, struct stat *stat) {
    inode_lock_shared(ip);
    *stat = (struct stat){
        .dev = ROOT_DEVICE,
        .ino = ip->number,
        .type = (int16_t)ip->disk.type,
        .nlink = (int16_t)ip->disk.nlink,
        .size = ip->disk.size,
    };
    inode_unlock(ip);
}

// ---- Mapped pages ----

// Stores in *b the block of the locked file that is its page at offset.
static int find_page(struct inode *ip, uint64_t offset, struct block **b) {
    assert(offset % BLOCK_SIZE == 0);
    if (offset >= ip->disk.size)
        return -EFAULT;
    return inode_block(ip, offset / BLOCK_SIZE, b);
}

int inode_page(struct inode *ip, uint64_t offset, struct frame **frame) {
    struct block *b;
    inode_lock_shared(ip);
    int error = find_page(ip, offset, &b);
    if (error == 0) {
        error = cache_map(b, frame);
        cache_put(b);
    }
    inode_unlock(ip);
    return error;
}

int inode_page_shared(struct inode *ip, uint64_t offset, struct frame **frame) {
    struct block *b;
    inode_lock_shared(ip);
    int error = find_page(ip, offset, &b);
    if (error == 0) {
        *frame = cache_map_reserved(b);
        cache_put(b);
    }
    inode_unlock(ip);
    return error;
}

void inode_write_page(struct inode *ip, uint64_t offset, const struct frame *frame) {
    struct block *b;
    assert(rank_held(RANK_TRANSACTION));
    inode_lock(ip);
    uint64_t size = ip->disk.size;
    if (offset < size && inode_block(ip, offset / BLOCK_SIZE, &b) == 0) {
        bool is_same = frame_of(b->data) == frame;
        if (is_same && size - offset < BLOCK_SIZE)
            memset(b->data + (size - offset), 0, BLOCK_SIZE - (size - offset));
        if (is_same)
            log_write(b);
        else
            cache_put(b);
    }
    inode_unlock(ip);
}
