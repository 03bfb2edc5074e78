/*
 * replay.h: the plain main of a fuzzer. Gives each file of the corpus, or of
 * the folders named as arguments, to LLVMFuzzerTestOneInput, and prints TAP.
 * With -DFUZZING the fuzzing engine brings its own main, and this is empty.
 * Threads: one.
 */
#ifndef PROVOST_TESTS_FUZZ_REPLAY_H
#define PROVOST_TESTS_FUZZ_REPLAY_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#ifndef FUZZING

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/str.h"

static int replay(const char *path);

static int replay_folder(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    int count = 0;

    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        cleanup_free char *inner = file_join(path, entry->d_name);
        if (entry->d_name[0] != '.')
            count += replay(inner);
    }
    if (folder != NULL)
        closedir(folder);
    return count;
}

static int replay(const char *path)
{
    struct stat status;
    struct error error = { 0 };
    cleanup_free char *bytes = NULL;
    size_t length = 0;

    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return replay_folder(path);
    if (file_read(path, 64u << 20, &bytes, &length, &error) < 0) {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
    LLVMFuzzerTestOneInput((const uint8_t *)bytes, length);
    return 1;
}

/* `corpus`: the folder below tests/fuzz/corpus. */
static int replay_main(int argc, char **argv, const char *corpus)
{
    const char *source = getenv("PROVOST_SOURCE");
    cleanup_free char *folder = str_printf("%s/tests/fuzz/corpus/%s", source != NULL ? source : ".", corpus);
    int count = argc == 1 ? replay(folder) : 0;

    for (int i = 1; i < argc; i++)
        count += replay(argv[i]);
    printf("1..1\n%s 1 - the corpus replays: %d files\n", count > 0 ? "ok" : "not ok", count);
    return count > 0 ? 0 : 1;
}

#define REPLAY_MAIN(corpus)                     \
    int main(int argc, char **argv)             \
    {                                           \
        return replay_main(argc, argv, corpus); \
    }
#else
#define REPLAY_MAIN(corpus)
#endif

#endif
