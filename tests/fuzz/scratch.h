/*
 * scratch.h: a temporary folder for the fuzzers whose subject reads files. It
 * is made with the first file and goes, with all in it, when the process ends in
 * order. Threads: one.
 */
#ifndef PROVOST_TESTS_FUZZ_SCRATCH_H
#define PROVOST_TESTS_FUZZ_SCRATCH_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

static char scratch_folder[64];

static int scratch_remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

static void scratch_remove(void)
{
    nftw(scratch_folder, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* In memory where that is possible. */
static const char *scratch(void)
{
    if (scratch_folder[0] != '\0')
        return scratch_folder;
    snprintf(scratch_folder, sizeof(scratch_folder), "%s/provost-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(scratch_folder) == NULL)
        abort();
    atexit(scratch_remove);
    return scratch_folder;
}

/* The path of what was written; the caller frees. */
static inline char *scratch_write(const char *name, const void *bytes, size_t length)
{
    char *path = str_printf("%s/%s", scratch(), name);
    FILE *stream = path != NULL ? fopen(path, "w") : NULL;

    if (stream == NULL || fwrite(bytes, 1, length, stream) != length || fclose(stream) != 0)
        abort();
    return path;
}

#endif
