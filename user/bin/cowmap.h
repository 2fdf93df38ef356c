// What the parts of cowmap share: columns of processes (cowmap.c), the lines that show their pages
// (cowmap_line.c), the rows of a picture (cowmap_rows.c) and the demonstration (cowmap_story.c).
#pragma once

#include "cow6.h"
#include "tool.h"

enum {
    COLUMNS = 4, // as many as fit into a line of 80
    COLUMN_WIDTH = 15,
    CHUNK_PAGES = 64, // asked of pagemap at a time
    SCREEN_ROWS = 17, // of 24 lines: the others are the heading and what follows the rows
};

struct column {
    struct procinfo process;
    const char *gone; // why its pages cannot be seen; NULL: they can
    uint64_t start;   // address of the first page that is kept here
    int count;
    struct pageinfo pages[CHUNK_PAGES];
    int lender; // the process whose memory it borrows; 0: none
};

extern struct column columns[COLUMNS];
extern size_t column_count;

extern bool coloured; // show colours
extern bool watching; // draw again and again

// ---- Lines ----

// What ends a line. On a screen that is drawn again it also erases the rest of an earlier line.
const char *line_end(void);

// The letter for a page: see legend_print.
char mark_of(const struct pageinfo *p);

void legend_print(void);

// Print a line: its beginning, and a title or a page for each column. is_run: each page is the
// first of several.
void heading_print(const char *left);
void cells_print(const char *left, const struct pageinfo *cells, bool is_run);

// ---- The picture and the story ----

// Prints the pages of all columns, a row for each run of similar pages, and notes lenders. Returns
// how many rows there are, of which a screen that is drawn again shows the first SCREEN_ROWS.
size_t rows_print(void);

// Demonstrates copy-on-write. Returns the exit status: 1 if a frame is not the expected one.
int story_tell(void);
