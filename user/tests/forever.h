// Work that never ends, each kind waiting for something else, for tests that kill the process
// meanwhile.
#pragma once

void run_forever(void);
void sleep_forever(void);
void wait_forever(void);
void read_pipe_forever(void);
void write_pipe_forever(void);
void read_console_forever(void);
void getkey_forever(void);
