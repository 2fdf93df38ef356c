// Power cuts: what is on the disk after any write must lead to a state between two calls.
#include "fs_machine.h"
#include "fs_work.h"

enum { TASKS_MAX = 3, OPS = 80 };

struct history {
    size_t writes[OPS + 1];  // that the disk had seen when the operation returned
    uint64_t state[OPS + 1]; // of the task's directory then
};

static struct history *histories; // one for each task, in shared memory

static void hash_add(uint64_t *hash, const void *p, size_t n) {
    const uint8_t *byte = p;
    for (size_t i = 0; i < n; i++)
        *hash = (*hash ^ byte[i]) * 0x100000001b3u;
}

// Returns a hash of everything below a directory.
static uint64_t tree_hash(struct inode *dir, int depth) {
    uint64_t hash = 0xcbf29ce484222325u;
    struct dirent e;
    CHECK(depth < 4);
    for (uint64_t at = 0;; at += sizeof e) {
        inode_lock(dir);
        int64_t n = inode_read(dir, at, &e, sizeof e);
        inode_unlock(dir);
        if (n == 0)
            return hash;
        CHECK_EQUAL(16, n);
        char name[15] = {0};
        memcpy(name, e.name, 14);
        if (e.inum == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        struct inode *ip;
        struct stat s;
        CHECK_EQUAL(0, path_lookup(dir, name, &ip));
        inode_stat(ip, &s);
        uint64_t entry = 0;
        hash_add(&entry, name, 14);
        hash_add(&entry, &s.nlink, 2);
        if (s.type == T_DIR) {
            uint64_t below = tree_hash(ip, depth + 1);
            hash_add(&entry, &below, 8);
        } else {
            char *data = malloc(s.size + 1);
            inode_lock(ip);
            CHECK_EQUAL(s.size, inode_read(ip, 0, data, s.size));
            inode_unlock(ip);
            hash_add(&entry, &s.size, 8);
            hash_add(&entry, data, s.size);
            free(data);
        }
        hash += entry * 0x9e3779b97f4a7c15u; // the order of entries does not matter
        inode_put(ip);
    }
}

static uint64_t task_state(unsigned task) {
    char name[16];
    sprintf(name, "/t%u", task);
    struct inode *dir = find_inode(name);
    uint64_t hash = tree_hash(dir, 0);
    inode_put(dir);
    return hash;
}

static void task_work(void *argument) {
    unsigned task = (unsigned)(uintptr_t)argument;
    char name[16];
    sprintf(name, "/t%u", task);
    for (int i = 0; i < OPS; i++) {
        random_operation(name);
        histories[task].writes[i + 1] = disk_journal_count();
        histories[task].state[i + 1] = task_state(task);
    }
}

// Starts, in a process of its own, from what the cut left. Each task's directory must be in the
// state between two operations.
static void check_cut(size_t cut, unsigned tasks, const uint8_t *image, uint32_t blocks) {
    disk_use(image, blocks);
    int error = mount_disk(MACHINE_RAM);
    if (error)
        test_fail(__FILE__, __LINE__, "expected to start after write %zu, saw error %d", cut,
                  error);
    for (unsigned t = 0; t < tasks; t++) {
        uint64_t state = task_state(t);
        int i = 0;
        while (i < OPS && histories[t].writes[i + 1] < cut)
            i++;
        // The last write of an operation is durable only with the flush after it, which the cut may
        // precede. Everything of the next operation may be on the disk.
        bool good = state == histories[t].state[i];
        for (; !good && i < OPS && histories[t].writes[i] <= cut; i++)
            good = state == histories[t].state[i + 1];
        if (!good)
            test_fail(__FILE__, __LINE__,
                      "expected a state of task %u near operation %d, saw another (cut %zu)", t, i,
                      cut);
    }
    check_disk();
    for (int i = 0; i < 20; i++)
        random_operation("/t0");
    check_disk();
}

static void work(uint32_t blocks, uint32_t log_blocks, unsigned tasks, uint64_t seed) {
    char name[16];
    disk_format(blocks, 60, log_blocks);
    CHECK_EQUAL(0, mount_disk(MACHINE_RAM));
    for (unsigned t = 0; t < tasks; t++) {
        sprintf(name, "/t%u", t);
        CHECK_EQUAL(0, make(name, T_DIR));
        histories[t].state[0] = task_state(t);
    }
    host_random_seed(seed);
    disk_journal_start();
    host_yields = tasks > 1;
    if (tasks == 1)
        task_work(0);
    for (unsigned t = 0; t < tasks && tasks > 1; t++)
        host_task_start(task_work, (void *)(uintptr_t)t);
    if (tasks > 1)
        host_task_wait_all();
    host_yields = false;
    disk_journal_stop();
    check_disk();
}

static void cut_everywhere(uint32_t blocks, uint32_t log_blocks, unsigned tasks, uint64_t seed,
                           uint32_t step) {
    histories = shared_memory(TASKS_MAX * sizeof *histories);
    disk_journal_init(blocks);
    IN_PROCESS(work(blocks, log_blocks, tasks, seed));
    uint8_t *image = malloc((size_t)blocks * BLOCK_SIZE);
    for (size_t cut = host_random(step); cut <= disk_journal_count();
         cut += 1 + host_random(step)) {
        disk_image_after(cut, image, blocks);
        IN_PROCESS(check_cut(cut, tasks, image, blocks));
    }
}

// The first record after a checkpoint overwrites old ones. If only its end reaches the disk, what
// is left of them must not count. Tries several losses at each write of a log that restarts often.
TEST(power_cut_when_the_log_restarts) {
    uint32_t blocks = 600;
    histories = shared_memory(TASKS_MAX * sizeof *histories);
    disk_journal_init(blocks);
    IN_PROCESS(work(blocks, 46, 1, first_seed()));
    uint8_t *image = malloc((size_t)blocks * BLOCK_SIZE);
    for (size_t cut = 1; cut <= disk_journal_count(); cut++) {
        if (!disk_journal_is_early(cut))
            continue;
        for (int i = 0; i < 6; i++) {
            disk_image_after(cut, image, blocks);
            IN_PROCESS(check_cut(cut, 1, image, blocks));
        }
    }
}

TEST(power_cut_with_one_task) {
    for (uint64_t seed = first_seed(); seed <= last_seed(2); seed++)
        cut_everywhere(600, 60, 1, seed, 8);
}

TEST(power_cut_with_three_tasks) {
    for (uint64_t seed = first_seed(); seed <= last_seed(2); seed++)
        cut_everywhere(600, 120, 3, seed, 20);
}
