// Where the fuzzer's guest has what, for C and assembly; fuzz_layout.py has the same numbers.
#pragma once

#define RECORDS 0x80100000 // the programs, one after the other
#define CODE 0x80800000    // two pages, for a program's instructions
#define DATA 0x80802000    // nine pages, right behind; programs point to the first eight
#define TABLES 0x80a00000  // twelve pages
#define LAST 0x80fff000    // the last page of memory

#define CODE_PAGES 2
#define DATA_PAGES 9
#define TABLE_PAGES 12

#define HANDLER_BASE 0xffffffffc0000000 // where page tables map all memory, for the handler below

#define FRAME_PC 0
#define FRAME_STACK 256

#define MPRV 0x20000 // in mstatus
