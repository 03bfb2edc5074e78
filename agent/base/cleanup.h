/*
 * cleanup.h: scoped cleanup. A variable marked with one of these is released
 * when it leaves its scope, on every path.
 *
 *     cleanup_free char *text = strdup("...");
 *     cleanup(error_list_free) struct list *list = NULL;
 *
 * DEFINE_CLEANUP(type, function) makes the helper that cleanup_of(function)
 * names, for a `type *` whose free function accepts NULL.
 * take_pointer(p) hands ownership on: it returns p and leaves NULL.
 * Threads: none of its own.
 */
#ifndef PROVOST_BASE_CLEANUP_H
#define PROVOST_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DEFINE_CLEANUP(type, function)                                      \
    static inline void cleanup_##function(type **pointer)                   \
    {                                                                       \
        if (*pointer != NULL)                                               \
            function(*pointer);                                             \
    }                                                                       \
    struct cleanup_semicolon_##function

#define cleanup_of(function) __attribute__((cleanup(cleanup_##function)))

static inline void cleanup_free_pointer(void *pointer)
{
    free(*(void **)pointer);
}
#define cleanup_free __attribute__((cleanup(cleanup_free_pointer)))

static inline void cleanup_close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
#define cleanup_close __attribute__((cleanup(cleanup_close_fd)))

static inline void cleanup_fclose_file(FILE **file)
{
    if (*file != NULL)
        fclose(*file);
}
#define cleanup_fclose __attribute__((cleanup(cleanup_fclose_file)))

#define take_pointer(pointer)                                               \
    __extension__({                                                         \
        __typeof__(pointer) taken_ = (pointer);                             \
        (pointer) = NULL;                                                   \
        taken_;                                                             \
    })

#endif
