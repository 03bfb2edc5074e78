/*
 * bench_store: how fast the store takes events, and whether the cost of one
 * stays the same as the tables grow. No endpoint, no parser: batches are made
 * here, one event each, as many in flight as a group of requests would be.
 *
 *     bench_store [EVENTS [IN_FLIGHT [USERS [DATABASE]]]]
 *
 * Prints one line for each tenth: events a second, file size, resident memory.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "store/store.h"

#define RAW_BYTES 1500

struct window {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    long in_flight, failed;
};

static void taken(void *arg, int code, const struct error *error, const struct event_batch *batch, const enum event_effect *effects)
{
    struct window *window = arg;

    (void)batch;
    (void)effects;
    pthread_mutex_lock(&window->lock);
    window->in_flight--;
    if (code < 0 && window->failed++ == 0)
        fprintf(stderr, "%s\n", error->text);
    pthread_cond_signal(&window->changed);
    pthread_mutex_unlock(&window->lock);
}

/* As Okta's: version 1, the low half of the time first. */
static char *make_uuid(int64_t us, long n)
{
    uint64_t ticks = (uint64_t)(us + 12219292800000000LL) * 10 + (uint64_t)(n % 10);

    return str_printf("%08x-%04x-1%03x-b9b3-%012lx", (unsigned)(ticks & 0xffffffff), (unsigned)(ticks >> 32 & 0xffff),
                      (unsigned)(ticks >> 48 & 0xfff), (unsigned long)n);
}

static struct event_batch *make_batch(long n, long user, int64_t us)
{
    static char raw[RAW_BYTES + 1];
    struct event_batch *batch = calloc(1, sizeof(*batch));
    struct event *event = calloc(1, sizeof(*event));

    if (raw[0] == '\0')
        memset(raw, 'x', RAW_BYTES);
    batch->events = event;
    batch->count = 1;
    event->uuid = make_uuid(us, n);
    event->type = strdup("user.lifecycle.activate");
    event->outcome = strdup("SUCCESS");
    event->actor = strdup("admin@example.com");
    event->subject_id = str_printf("00u%08lx%09lx", (unsigned long)(user * 2654435761u) & 0xffffffff, (unsigned long)user);
    event->subject_name = str_printf("user%ld@example.com", user);
    event->published.us = us;
    event->raw = strdup(raw);
    event->fact_count = 3;
    event->facts = calloc(3, sizeof(*event->facts));
    event->facts[0] = (struct fact){ .kind = FACT_STATUS, .id = event->subject_id, .value = "ACTIVE", .as_of.us = us };
    event->facts[1] = (struct fact){ .kind = FACT_LOGIN, .id = event->subject_id, .value = event->subject_name, .as_of.us = us };
    event->facts[2] = (struct fact){ .kind = FACT_NAME, .id = event->subject_id, .value = "A User", .as_of.us = us };
    return batch;
}

static long resident_kib(void)
{
    long pages = 0, ignored;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file == NULL || fscanf(file, "%ld %ld", &ignored, &pages) != 2)
        pages = 0;
    if (file != NULL)
        fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static double seconds_since(int64_t start_us)
{
    return (double)(clock_mono(clock_system()).us - start_us) / 1e6;
}

static void wait_below(struct window *window, long most)
{
    pthread_mutex_lock(&window->lock);
    while (window->in_flight > most)
        pthread_cond_wait(&window->changed, &window->lock);
    pthread_mutex_unlock(&window->lock);
}

static void run_part(struct store *store, struct window *window, long first, long count, long in_flight, long users)
{
    for (long n = first; n < first + count; n++) {
        int64_t now = clock_wall(clock_system()).us;
        struct event_batch *batch = make_batch(n, users > 0 ? (long)((unsigned long)n * 2654435761u % (unsigned long)users) : n, now);
        wait_below(window, in_flight - 1);
        pthread_mutex_lock(&window->lock);
        window->in_flight++;
        pthread_mutex_unlock(&window->lock);
        store_take(store, batch, (struct wall){ now }, taken, window);
    }
    wait_below(window, 0);
}

static int run(const char *path, long events, long in_flight, long users)
{
    const struct store_settings settings = { .path = path, .owner = "bench", .clock = clock_system() };
    const struct route route = { "bench", IDENTITY_USER, FACT_BIT(FACT_STATUS), 0 };
    struct window window = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0 };
    struct store_status status;
    struct store *store;
    struct error error;

    int64_t opening = clock_mono(clock_system()).us;
    if (store_open(&settings, &store, &error) < 0 || store_set_routes(store, &route, 1) < 0) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    printf("# opened in %.3f s, %ld KiB resident\n", seconds_since(opening), resident_kib());
    int64_t start = clock_mono(clock_system()).us;
    for (long part = 0; part < 10; part++) {
        int64_t part_start = clock_mono(clock_system()).us;
        run_part(store, &window, part * (events / 10), events / 10, in_flight, users);
        store_read_status(store, &status);
        printf("%10lld stored %8.0f events/s %8lld MiB %6ld KiB resident %6lld commits\n", (long long)status.events,
               (double)(events / 10) / seconds_since(part_start), (long long)(status.bytes >> 20), resident_kib(),
               (long long)status.commits);
        fflush(stdout);
    }
    printf("store intake: %.0f events/s, %ld in flight\n", (double)(events / 10 * 10) / seconds_since(start), in_flight);
    store_close(store);
    return window.failed != 0;
}

int main(int argc, char **argv)
{
    long events = argc > 1 ? atol(argv[1]) : 200000, in_flight = argc > 2 ? atol(argv[2]) : 200, users = argc > 3 ? atol(argv[3]) : 0;
    char folder[] = "bench-store-XXXXXX";

    if (argc > 4)
        return run(argv[4], events, in_flight, users);
    if (mkdtemp(folder) == NULL) {
        perror(folder);
        return 1;
    }
    static const char *const files[] = { "store", "store-wal", "store-shm", "store.lock" };
    cleanup_free char *path = str_printf("%s/store", folder);
    int result = run(path, events, in_flight, users);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        cleanup_free char *file = str_printf("%s/%s", folder, files[i]);
        unlink(file);
    }
    rmdir(folder);
    return result;
}
