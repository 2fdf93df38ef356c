// Inodes. A file's blocks hang from its inode in three trees: direct ones, those below one block of
// pointers, and those below two levels. Files have no holes. Every pointer is checked where it is
// used, as the disk may be damaged.
#include "fs/inode.h"

#include "abi/errno.h"
#include "fs/allocate.h"
#include "fs/log.h"
#include "lib/assert.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mem/pool.h"

enum { INODES_IN_MEMORY = 512, BUCKETS = 256 };

static struct spinlock lock = SPINLOCK(RANK_INODES);
static struct pool pool;
static struct inode *buckets[BUCKETS]; // [lock]

void inode_init(void)
{
    pool_init(&pool, sizeof(struct inode), INODES_IN_MEMORY);
}

static uint64_t block_count(uint64_t size)
{
    return (size + BLOCK_SIZE - 1) / BLOCK_SIZE;
}

static bool disk_inode_is_sane(const struct disk_inode *disk)
{
    if (disk->type != T_DIR && disk->type != T_FILE && disk->type != T_DEVICE)
        return false;
    if (disk->type == T_DIR && (disk->size % sizeof(struct dirent) != 0 || disk->size > DIRECTORY_BYTES_MAX))
        return false;
    return disk->nlink <= LINKS_MAX && disk->size <= FILE_BLOCKS_MAX * BLOCK_SIZE;
}

static int inode_load(struct inode *ip)
{
    struct block *b;
    int error = cache_get(inode_number_block(ip->number), &b);
    if (error)
        return error;
    ip->disk = ((struct disk_inode *)b->data)[ip->number % INODES_PER_BLOCK];
    cache_put(b);
    ip->valid = disk_inode_is_sane(&ip->disk);
    if (!ip->valid)
        print("disk: inode %u is damaged\n", ip->number);
    return ip->valid ? 0 : -EIO;
}

// Returns the inode with a reference, perhaps not loaded; NULL if the table is full.
static struct inode *table_get(uint32_t number)
{
    struct inode **bucket = &buckets[number % BUCKETS];
    spin_lock(&lock);
    struct inode *ip = *bucket;
    while (ip != NULL && ip->number != number)
        ip = ip->next;
    if (ip == NULL && (ip = pool_alloc(&pool)) != NULL) {
        ip->number = number;
        ip->next = *bucket;
        mutex_init(&ip->mutex);
        *bucket = ip;
    }
    if (ip != NULL)
        ip->references++;
    spin_unlock(&lock);
    return ip;
}

int inode_open(uint32_t number, struct inode **opened)
{
    if (!inode_number_is_valid(number)) {
        print("disk: inode number %u is out of range\n", number);
        return -EIO;
    }
    struct inode *ip = table_get(number);
    if (ip == NULL)
        return -ENFILE;
    int error = 0;
    if (!ip->valid) {
        inode_lock(ip);
        if (!ip->valid)
            error = inode_load(ip);
        inode_unlock(ip);
    }
    if (error)
        inode_put(ip);
    *opened = ip;
    return error;
}

struct inode *inode_get(struct inode *ip)
{
    spin_lock(&lock);
    ip->references++;
    spin_unlock(&lock);
    return ip;
}

void inode_lock(struct inode *ip)
{
    mutex_lock(&ip->mutex, RANK_INODE);
}

void inode_lock_directory(struct inode *ip)
{
    mutex_lock(&ip->mutex, RANK_DIRECTORY);
}

void inode_unlock(struct inode *ip)
{
    mutex_unlock(&ip->mutex);
}

int inode_update(struct inode *ip)
{
    struct block *b;
    int error = cache_get(inode_number_block(ip->number), &b);
    if (error) {
        log_abort();
        return error;
    }
    ((struct disk_inode *)b->data)[ip->number % INODES_PER_BLOCK] = ip->disk;
    log_write(b);
    return 0;
}

// Returns where the tree with the file's block *index starts. Stores its levels of pointer blocks in
// *depth and makes *index relative to the tree.
static uint32_t *tree_of(struct inode *ip, uint64_t *index, unsigned *depth)
{
    *depth = 0;
    if (*index < DIRECT_BLOCKS)
        return &ip->disk.direct[*index];
    *index -= DIRECT_BLOCKS;
    *depth = 1;
    if (*index < POINTERS_PER_BLOCK)
        return &ip->disk.indirect;
    *index -= POINTERS_PER_BLOCK;
    *depth = 2;
    return &ip->disk.double_indirect;
}

static int pointer_check(uint32_t number)
{
    if (block_is_data(number))
        return 0;
    print("disk: a file has block %u\n", number);
    return -EIO;
}

// Stores in *b the block of pointers and returns the one that leads to `index`, depth levels down.
static uint32_t *pointer_get(uint32_t number, unsigned depth, uint64_t index, struct block **b, int *error)
{
    *error = pointer_check(number);
    if (*error == 0)
        *error = cache_get(number, b);
    if (*error)
        return NULL;
    if (depth == 2)
        index /= POINTERS_PER_BLOCK;
    return (uint32_t *)(*b)->data + index % POINTERS_PER_BLOCK;
}

// Stores in *number where the file's block is.
static int tree_find(struct inode *ip, uint64_t index, uint32_t *number)
{
    int error;
    unsigned depth;
    *number = *tree_of(ip, &index, &depth);
    for (; depth > 0; depth--) {
        struct block *b;
        uint32_t *pointer = pointer_get(*number, depth, index, &b, &error);
        if (error)
            return error;
        *number = *pointer;
        cache_put(b);
    }
    return pointer_check(*number);
}

// As tree_find below *pointer, but allocates what is missing.
static int tree_extend(uint32_t *pointer, unsigned depth, uint64_t index, uint32_t *number)
{
    int error = 0;
    struct block *b;
    if (*pointer == 0) {
        error = block_alloc(pointer);
        if (error == 0 && depth > 0) {
            b = cache_get_blank(*pointer);
            memset(b->data, 0, BLOCK_SIZE);
            log_write(b);
        }
    }
    *number = *pointer;
    if (error || depth == 0)
        return error ? error : pointer_check(*number);
    uint32_t *below = pointer_get(*number, depth, index, &b, &error);
    if (error)
        return error;
    uint32_t before = *below;
    error = tree_extend(below, depth - 1, index, number);
    if (*below != before)
        log_write(b);
    else
        cache_put(b);
    return error;
}

// Frees the file's last block, which is `index` below *pointer, and the pointer blocks that were made
// for it. Damaged pointers are just forgotten.
static int tree_shrink(uint32_t *pointer, unsigned depth, uint64_t index)
{
    uint32_t number = *pointer;
    if (number == 0)
        return 0;
    if (depth > 0 && block_is_data(number)) {
        int error;
        struct block *b;
        uint32_t *below = pointer_get(number, depth, index, &b, &error);
        if (error)
            return error;
        error = tree_shrink(below, depth - 1, index);
        log_write(b);
        if (error || index % (depth == 2 ? POINTERS_PER_BLOCK * POINTERS_PER_BLOCK : POINTERS_PER_BLOCK) != 0)
            return error;
    }
    if (pointer_check(number) == 0)
        block_free(number);
    *pointer = 0;
    return 0;
}

static int shrink(struct inode *ip, uint64_t index)
{
    unsigned depth;
    uint32_t *pointer = tree_of(ip, &index, &depth);
    return tree_shrink(pointer, depth, index);
}

// Frees blocks from the end of the locked inode on, as many as a transaction may. Returns 1 if some
// are left, else 0.
static int truncate_some(struct inode *ip)
{
    int error = 0;
    uint64_t blocks = block_count(ip->disk.size);
    if (blocks == 0)
        return 0;
    uint64_t least = blocks > log_free_max() ? blocks - log_free_max() : 0;
    while (blocks > least && error == 0) {
        error = shrink(ip, blocks - 1);
        blocks -= error == 0;
    }
    ip->disk.size = blocks * BLOCK_SIZE;
    int update_error = inode_update(ip);
    return error ? error : update_error ? update_error : blocks > 0;
}

int inode_truncate(struct inode *ip)
{
    int left, error;
    do {
        error = log_begin();
        if (error)
            return error;
        inode_lock(ip);
        left = truncate_some(ip);
        inode_unlock(ip);
        error = log_end();
    } while (left > 0 && error == 0);
    return left < 0 ? left : error;
}

// Frees an inode to which only the caller has a reference. Should that fail, the next boot tries again.
static void inode_free(struct inode *ip)
{
    for (int left = 1; left > 0;) {
        if (log_begin() != 0)
            return;
        inode_lock(ip);
        left = truncate_some(ip);
        if (left == 0) {
            // In this order: as soon as the number is free, somebody may open and load the inode again.
            ip->valid = false;
            memset(&ip->disk, 0, sizeof ip->disk);
            inode_number_free(ip->number);
        }
        inode_unlock(ip);
        if (log_end() != 0)
            return;
    }
}

void inode_put(struct inode *ip)
{
    spin_lock(&lock);
    if (ip->references == 1 && ip->valid && ip->disk.nlink == 0) {
        spin_unlock(&lock);
        inode_free(ip);
        spin_lock(&lock);
    }
    if (--ip->references == 0) {
        struct inode **p = &buckets[ip->number % BUCKETS];
        while (*p != ip)
            p = &(*p)->next;
        *p = ip->next;
        pool_free(&pool, ip);
    }
    spin_unlock(&lock);
}

int inode_block(struct inode *ip, uint64_t index, struct block **b)
{
    uint32_t number;
    int error = tree_find(ip, index, &number);
    return error ? error : cache_get(number, b);
}

int64_t inode_read(struct inode *ip, uint64_t offset, void *to, size_t n)
{
    assert(mutex_held(&ip->mutex));
    if (offset >= ip->disk.size)
        return 0;
    if (n > ip->disk.size - offset)
        n = ip->disk.size - offset;
    size_t done = 0;
    while (done < n) {
        struct block *b;
        size_t start = (offset + done) % BLOCK_SIZE;
        size_t piece = n - done < BLOCK_SIZE - start ? n - done : BLOCK_SIZE - start;
        int error = inode_block(ip, (offset + done) / BLOCK_SIZE, &b);
        if (error)
            return done > 0 ? (int64_t)done : error;
        memcpy((char *)to + done, b->data + start, piece);
        cache_put(b);
        done += piece;
    }
    return (int64_t)done;
}

// Stores in *b the block, a new one if the file ends before it, of which `piece` bytes are going to be
// overwritten.
static int block_to_write(struct inode *ip, uint64_t index, size_t piece, struct block **b)
{
    unsigned depth;
    uint32_t number;
    uint64_t relative = index;
    bool is_new = index >= block_count(ip->disk.size);
    if (index >= FILE_BLOCKS_MAX)
        return -EFBIG;
    if (!is_new && piece < BLOCK_SIZE)
        return inode_block(ip, index, b);
    uint32_t *pointer = tree_of(ip, &relative, &depth);
    int error = is_new ? tree_extend(pointer, depth, relative, &number) : tree_find(ip, index, &number);
    if (error && is_new)
        shrink(ip, index);
    if (error)
        return error;
    *b = cache_get_blank(number);
    if (piece < BLOCK_SIZE)
        memset((*b)->data, 0, BLOCK_SIZE);
    return 0;
}

int64_t inode_write(struct inode *ip, uint64_t offset, const void *from, size_t n)
{
    assert(mutex_held(&ip->mutex));
    int error = offset > ip->disk.size ? -EINVAL : 0;
    uint64_t old_size = ip->disk.size;
    size_t done = 0;
    while (done < n && error == 0) {
        struct block *b;
        size_t start = (offset + done) % BLOCK_SIZE;
        size_t piece = n - done < BLOCK_SIZE - start ? n - done : BLOCK_SIZE - start;
        error = block_to_write(ip, (offset + done) / BLOCK_SIZE, piece, &b);
        if (error)
            break;
        memcpy(b->data + start, (const char *)from + done, piece);
        log_write(b);
        done += piece;
        if (offset + done > ip->disk.size)
            ip->disk.size = offset + done;
    }
    if (ip->disk.size > old_size && inode_update(ip) != 0)
        return -EIO;
    return done > 0 ? (int64_t)done : error;
}

int inode_page(struct inode *ip, uint64_t offset, struct frame **frame)
{
    int error = -EFAULT;
    struct block *b;
    inode_lock(ip);
    if (offset < ip->disk.size)
        error = inode_block(ip, offset / BLOCK_SIZE, &b);
    if (error == 0) {
        error = cache_map(b, frame);
        cache_put(b);
    }
    inode_unlock(ip);
    return error;
}

void inode_stat(struct inode *ip, struct stat *stat)
{
    inode_lock(ip);
    *stat = (struct stat){
        .dev = ROOT_DEVICE,
        .ino = ip->number,
        .type = (int16_t)ip->disk.type,
        .nlink = (int16_t)ip->disk.nlink,
        .size = ip->disk.size,
    };
    inode_unlock(ip);
}
