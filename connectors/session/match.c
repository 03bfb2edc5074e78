#include "connectors/session/match.h"

enum match match_value(const struct layout *layout, const char *const *users, const void *bytes, size_t length, int64_t *ret_created_us)
{
    (void)layout, (void)users, (void)bytes, (void)length, (void)ret_created_us;
    return MATCH_UNREADABLE;
}

bool match_tells_owner(const struct layout *layout)
{
    return layout->format != FORMAT_TOKEN && layout->format != FORMAT_JAVA && layout->format != FORMAT_COOKIE;
}

enum match match_owner(const struct layout *layout, const void *bytes, size_t length, char **ret_user, int64_t *ret_created_us)
{
    (void)layout, (void)bytes, (void)length, (void)ret_user, (void)ret_created_us;
    return MATCH_UNREADABLE;
}

int64_t match_time(int unit, const void *bytes, size_t length)
{
    (void)unit, (void)bytes, (void)length;
    return 0;
}
