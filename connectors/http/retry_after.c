#include "connectors/http/retry_after.h"

#include <curl/curl.h>
#include <string.h>

static int64_t bounded(int64_t seconds)
{
    const int64_t most = RETRY_AFTER_MOST_US / 1000000;

    return (seconds < 0 ? 0 : seconds > most ? most : seconds) * 1000000;
}

static int64_t parse_seconds(const char *digits, size_t length)
{
    int64_t seconds = 0;

    for (size_t i = 0; i < length && seconds <= RETRY_AFTER_MOST_US; i++)
        seconds = seconds * 10 + (digits[i] - '0');
    return bounded(seconds);
}

int64_t retry_after_parse(const char *value, const char *date, struct wall now)
{
    value += strspn(value, " \t");
    size_t digits = strspn(value, "0123456789");
    if (digits > 0 && value[digits + strspn(value + digits, " \t")] == '\0')
        return parse_seconds(value, digits);
    if (strchr(value, ':') == NULL) /* each of the three forms of a date has a time; curl_getdate takes less for one */
        return 0;
    time_t until = curl_getdate(value, NULL), from = date != NULL ? curl_getdate(date, NULL) : -1;
    if (until == -1)
        return 0;
    return bounded((int64_t)until - (from != -1 ? (int64_t)from : now.us / 1000000));
}
