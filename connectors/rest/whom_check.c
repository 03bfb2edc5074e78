/* whom_check.c: is it sure whom a request of a mapping file is about? */
#include "connectors/rest/mapping_check.h"

#include "base/str.h"

#define PROBLEM(setting, ...) problems_add(problems, setting_file(setting), setting_line(setting), 0, __VA_ARGS__)

static const config_setting_t *member(const config_setting_t *group, const char *name)
{
    return group != NULL && config_setting_is_group(group) ? config_setting_get_member(group, name) : NULL;
}

/* ---- one request, one person ---- */

/* Is anything in it worked out? A body in a file is taken to be. */
static bool has_template(const config_setting_t *setting)
{
    const char *text = setting != NULL ? config_setting_get_string(setting) : NULL;
    bool found = text != NULL && (strchr(text, '{') != NULL || str_starts(text, "file:"));

    for (int i = 0; setting != NULL && config_setting_is_aggregate(setting) && i < config_setting_length(setting); i++)
        found = found || has_template(config_setting_get_elem(setting, (unsigned)i));
    return found;
}

static void check_names_somebody(const config_setting_t *requests, struct problems *problems)
{
    static const char *const names[] = { "read", "disable", "enable", "remove", NULL };

    for (const char *const *name = names; *name != NULL; name++) {
        const config_setting_t *request = member(requests, *name);
        if (request != NULL && !has_template(request))
            PROBLEM(request, "requests.%s is the same for everybody; name whom it is about, as in path = \"/employees/{account.key}\"",
                    *name);
    }
}

/* ---- a hit, and no stranger ---- */

/* A query parameter of an attribute's name is held against each hit, as where is. */
static bool asks_for_attribute(const config_setting_t *query, const config_setting_t *account)
{
    bool found = false;

    for (int i = 0; query != NULL && config_setting_is_group(query) && i < config_setting_length(query); i++)
        found = found || member(account, config_setting_name(config_setting_get_elem(query, (unsigned)i))) != NULL;
    return found;
}

/* The nearest attribute to a name that is none; NULL: it is one, or like none. */
static const char *meant_attribute(const config_setting_t *account, const char *name)
{
    int count = account != NULL && config_setting_is_group(account) ? config_setting_length(account) : 0;
    cleanup_free const char **names = calloc((size_t)count + 1, sizeof(*names));

    for (int i = 0; names != NULL && i < count; i++)
        names[i] = config_setting_name(config_setting_get_elem(account, (unsigned)i));
    return names == NULL || member(account, name) != NULL ? NULL : str_nearest(name, names);
}

/* Misspelt, it would make everybody a stranger, and a second account for each. */
static void check_where(const config_setting_t *root, const config_setting_t *where, int number, struct problems *problems)
{
    for (int i = 0; i < config_setting_length(where); i++) {
        const config_setting_t *entry = config_setting_get_elem(where, (unsigned)i);
        const char *name = config_setting_name(entry), *meant = meant_attribute(member(root, "account"), name);
        if (meant != NULL && member(member(root, "pointers"), name) == NULL)
            PROBLEM(entry, "requests.match[%d].where: the mapping's account has no \"%s\"; did you mean \"%s\"? (another member of the "
                    "API's JSON is named in pointers, too)", number, name, meant);
    }
}

static void check_hits(const config_setting_t *root, const config_setting_t *match, struct problems *problems)
{
    for (int i = 0; match != NULL && i < config_setting_length(match); i++) {
        const config_setting_t *request = config_setting_get_elem(match, (unsigned)i), *where = member(request, "where");
        if (where != NULL)
            check_where(root, where, i, problems);
        else if (member(request, "items") != NULL && !asks_for_attribute(member(request, "query"), member(root, "account")))
            PROBLEM(request, "requests.match[%d]: nothing tells a stranger apart, if the API takes no notice of what is asked for; add "
                    "where: { ATTRIBUTE = \"...\"; }, what a hit must have (or where: { };, to believe every hit)", i);
    }
}

void rest_check_whom(const config_setting_t *root, struct problems *problems)
{
    const config_setting_t *requests = member(root, "requests");

    check_names_somebody(requests, problems);
    check_hits(root, member(requests, "match"), problems);
}
