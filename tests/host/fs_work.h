// Random work on the file system of fs_machine.h, for tests that let much happen.
#pragma once

#include "fs_machine.h"

enum { WORK_NAMES = 6 }; // names of files in a directory

// Changes a page of the file through its frame, as a shared mapping does, and writes it back.
// Errors: those of inode_page.
int change_page(struct inode *ip, uint64_t offset, uint32_t seed);

// Does something small below the directory, which may well fail.
void random_operation(const char *directory);

// The seeds for the rounds of a random test. More rounds than usual, or others:
// SEED=100 ROUNDS=50 ./test_fs power_cut_with_one_task
uint64_t first_seed(void);
uint64_t last_seed(uint64_t usual_rounds);
