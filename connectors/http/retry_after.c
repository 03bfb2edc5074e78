#include "connectors/http/retry_after.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/str.h"

#define SECOND_US INT64_C(1000000)
#define SECONDS_MOST (INT64_C(1000) * 365 * 86400) /* a thousand years are as good as for ever */
#define EPOCH_LEAST INT64_C(1000000000)            /* a larger number of seconds is a time, not a wait */

static int64_t from_seconds(int64_t seconds)
{
    return (seconds < 0 ? 0 : seconds > SECONDS_MOST ? SECONDS_MOST : seconds) * SECOND_US;
}

/* The whole number that begins here; *ret_rest is what follows it. */
static int64_t read_number(const char *digits, const char **ret_rest)
{
    int64_t number = 0;

    for (; *digits >= '0' && *digits <= '9'; digits++)
        if (number < SECONDS_MOST * 1000)
            number = number * 10 + (*digits - '0');
    *ret_rest = digits;
    return number;
}

static bool is_end(const char *rest)
{
    return rest[strspn(rest, " \t")] == '\0';
}

static int64_t seconds_now(const char *date, struct wall now)
{
    time_t from = date != NULL ? curl_getdate(date, NULL) : -1;

    return from != -1 ? (int64_t)from : now.us / SECOND_US;
}

/* ---- Retry-After ---- */

/* Each of the three forms of a date has a time; curl_getdate takes less for one. */
static bool read_date(const char *value, int64_t *ret_seconds)
{
    time_t until = strchr(value, ':') != NULL ? curl_getdate(value, NULL) : -1;

    *ret_seconds = (int64_t)until;
    return until != -1;
}

static void read_retry_after(const char *value, int64_t now, struct patience *patience)
{
    const char *rest;
    int64_t seconds = read_number(value, &rest);
    bool number = rest > value && is_end(rest);

    patience->asked = number || read_date(value, &seconds);
    patience->unread = !patience->asked;
    if (patience->asked)
        patience->retry_after_us = from_seconds(number ? seconds : seconds - now);
}

/* ---- quotas ---- */

/* RFC 3339, in UTC whatever it says: what is off by hours is cut anyway. */
static bool read_timestamp(const char *value, int64_t *ret_seconds)
{
    struct tm tm = { 0 };
    bool good = strptime(value, "%Y-%m-%dT%H:%M", &tm) != NULL;

    *ret_seconds = good ? (int64_t)timegm(&tm) : 0;
    return good;
}

/* How long until then; PATIENCE_UNKNOWN_US where that cannot be read. */
static int64_t read_reset(const char *value, int64_t now)
{
    const char *rest;
    int64_t number = read_number(value, &rest);

    if (rest > value && *rest == '.') /* a fraction of a second is nothing here */
        rest += 1 + strspn(rest + 1, "0123456789");
    if (rest == value || !is_end(rest))
        return read_date(value, &number) || read_timestamp(value, &number) ? from_seconds(number - now) : PATIENCE_UNKNOWN_US;
    if (number >= EPOCH_LEAST * 1000)
        number /= 1000;
    return from_seconds(number >= EPOCH_LEAST ? number - now : number);
}

static void read_quota(const char *remaining, const char *reset, int64_t now, struct patience *patience)
{
    const char *rest = "";
    int64_t left = remaining != NULL ? read_number(remaining, &rest) : 1;

    if (left != 0 || rest == remaining || !is_end(rest) || patience->used_up)
        return;
    patience->used_up = true;
    patience->reset_us = reset != NULL ? read_reset(reset, now) : PATIENCE_UNKNOWN_US;
}

/* ---- all of it ---- */

struct patience patience_read(const struct patience_headers *headers, struct wall now)
{
    int64_t seconds = seconds_now(headers->date, now);
    struct patience patience = { 0 };

    if (headers->retry_after != NULL)
        read_retry_after(headers->retry_after + strspn(headers->retry_after, " \t"), seconds, &patience);
    for (int i = 0; i < QUOTA_KINDS; i++)
        read_quota(headers->remaining[i], headers->reset[i], seconds, &patience);
    return patience;
}

int64_t patience_cut(int64_t us)
{
    return us < 0 ? 0 : us > PATIENCE_MOST_US ? PATIENCE_MOST_US : us;
}

void patience_add_words(struct buf *text, const struct patience *patience, bool quota)
{
    int64_t us = quota ? patience->reset_us : patience->retry_after_us;

    if (us > PATIENCE_MOST_US)
        buf_printf(text, "; it wants a wait of %" PRId64 " s, of which %" PRId64 " s are waited", us / SECOND_US,
                   PATIENCE_MOST_US / SECOND_US);
    if (patience->unread)
        buf_add_str(text, "; its Retry-After cannot be read and does not count");
}
