/*
 * bench_redis_scan: how long a bare SCAN over all keys of a pattern takes. The
 * yardstick beside which `make bench` puts a sweep.
 *
 *     bench_redis_scan PORT PATTERN COUNT
 *
 * Prints the keys that it saw and the seconds that it took.
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Keys of one answer; -1: it is none. `cursor` is where the next one goes on. */
static long scan_once(redisContext *redis, const char *pattern, const char *count, char cursor[24])
{
    redisReply *reply = redisCommand(redis, "SCAN %s MATCH %s COUNT %s", cursor, pattern, count);
    long keys = -1;

    if (reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2) {
        snprintf(cursor, 24, "%s", reply->element[0]->str);
        keys = (long)reply->element[1]->elements;
    }
    if (reply != NULL)
        freeReplyObject(reply);
    return keys;
}

int main(int argc, char **argv)
{
    char cursor[24] = "0";
    long keys = 0, got;

    if (argc != 4) {
        fprintf(stderr, "usage: bench_redis_scan PORT PATTERN COUNT\n");
        return 2;
    }
    redisContext *redis = redisConnect("127.0.0.1", atoi(argv[1]));
    if (redis == NULL || redis->err != 0) {
        fprintf(stderr, "bench_redis_scan: no connection to port %s\n", argv[1]);
        return 1;
    }
    double start = now_s();
    do {
        got = scan_once(redis, argv[2], argv[3], cursor);
        keys += got;
    } while (got >= 0 && strcmp(cursor, "0") != 0);
    printf("%ld %f\n", keys, now_s() - start);
    redisFree(redis);
    return got < 0;
}
