// Schedules that a program chooses while it observes a machine.
#pragma once
#include "debug/session.h"

// Serves these commands; returns false for others:
//   learn SEED           from now on harts have turns of many instructions, and all accesses are
//                        noted
//   schedule NAME SEED   a schedule decides (pos, surw, pct or quanta)
//   schedule end         the machine decides again; after learn, words are learnt
//   accesses             prints the last accesses to words that harts share, oldest first, a line
//                        each: time, hart, pc, kind (1 reads, 2 writes), address, value before
//   together             prints how many harts at most were in user mode at the end of a turn,
//   since
//                        this was asked last
bool observed_schedule_serve(struct remote *r, const char *command);
