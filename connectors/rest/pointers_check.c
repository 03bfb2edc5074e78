/* pointers_check.c: the group `pointers` of a mapping file. */
#include "connectors/rest/mapping_check.h"

#include "base/str.h"
#include "connectors/rest/patch.h"
#include "connectors/rest/pointer.h"

#define PROBLEM(setting, ...) problems_add(problems, setting_file(setting), setting_line(setting), 0, __VA_ARGS__)

static const config_setting_t *member(const config_setting_t *group, const char *name)
{
    return group != NULL && config_setting_is_group(group) ? config_setting_get_member(group, name) : NULL;
}

struct attribute {
    char *name, *pointer;
    const config_setting_t *setting; /* where its pointer is given, else where it is named */
    bool named;                      /* has an entry in pointers */
};
struct attributes {
    struct attribute *list;
    size_t count;
};

static void attributes_free(struct attributes *attributes)
{
    for (size_t i = 0; i < attributes->count; i++) {
        free(attributes->list[i].name);
        free(attributes->list[i].pointer);
    }
    free(attributes->list);
}

static struct attribute *find_attribute(const struct attributes *attributes, const char *name)
{
    for (size_t i = 0; i < attributes->count; i++)
        if (strcmp(attributes->list[i].name, name) == 0)
            return &attributes->list[i];
    return NULL;
}

static void add_attribute(struct attributes *attributes, const char *name, const config_setting_t *setting)
{
    struct buf pointer = { 0 };

    if (name == NULL || find_attribute(attributes, name) != NULL)
        return;
    struct attribute *list = realloc(attributes->list, (attributes->count + 1) * sizeof(*list));
    if (list == NULL)
        abort(); /* only at start-up and reload, like problems_add */
    pointer_add(&pointer, name);
    attributes->list = list;
    list[attributes->count++] = (struct attribute){ strdup(name), buf_take(&pointer), setting, false };
}

/* The members of a group, and the entries of its list `more`, which spells other names. */
static void add_attributes(struct attributes *attributes, const config_setting_t *group)
{
    for (int i = 0; group != NULL && config_setting_is_group(group) && i < config_setting_length(group); i++) {
        const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
        bool more = strcmp(config_setting_name(setting), "more") == 0 && config_setting_is_list(setting);
        if (!more)
            add_attribute(attributes, config_setting_name(setting), setting);
        for (int j = 0; more && j < config_setting_length(setting); j++) {
            const char *name = NULL;
            config_setting_lookup_string(config_setting_get_elem(setting, (unsigned)j), "name", &name);
            add_attribute(attributes, name, config_setting_get_elem(setting, (unsigned)j));
        }
    }
}

static void add_where_attributes(struct attributes *attributes, const config_setting_t *match)
{
    for (int i = 0; match != NULL && config_setting_is_list(match) && i < config_setting_length(match); i++)
        add_attributes(attributes, member(config_setting_get_elem(match, (unsigned)i), "where"));
}

static void tell_unknown(const struct attributes *attributes, const config_setting_t *setting, struct problems *problems)
{
    const char **names = calloc(attributes->count + 1, sizeof(*names));

    for (size_t i = 0; names != NULL && i < attributes->count; i++)
        names[i] = attributes->list[i].name;
    const char *nearest = names != NULL ? str_nearest(config_setting_name(setting), names) : NULL;
    PROBLEM(setting, "pointers: the mapping's account has no \"%s\"%s%s%s", config_setting_name(setting),
            nearest != NULL ? "; did you mean \"" : "; add it there, or remove the pointer", nearest != NULL ? nearest : "",
            nearest != NULL ? "\"?" : "");
    free(names);
}

static void take_pointer_of(struct attributes *attributes, const config_setting_t *setting, struct problems *problems)
{
    const char *text = config_setting_get_string(setting);
    struct attribute *attribute = find_attribute(attributes, config_setting_name(setting));

    if (text == NULL || *text == '\0' || !pointer_is_valid(text))
        PROBLEM(setting, "pointers.%s: a JSON pointer (RFC 6901) is expected; right would be \"/name/given\"",
                config_setting_name(setting));
    else if (attribute == NULL)
        tell_unknown(attributes, setting, problems);
    else {
        free(attribute->pointer);
        attribute->pointer = strdup(text);
        attribute->setting = setting;
        attribute->named = true;
    }
}

/* Does one stand at the other's place, or within it? */
static bool overlap(const char *a, const char *b)
{
    size_t length = strlen(a);

    return str_starts(b, a) && (b[length] == '\0' || b[length] == '/');
}

static void check_overlaps(const struct attributes *attributes, struct problems *problems)
{
    for (size_t i = 0; i < attributes->count; i++)
        for (size_t j = 0; j < attributes->count; j++) {
            const struct attribute *outer = &attributes->list[i], *inner = &attributes->list[j];
            bool twice = strcmp(outer->pointer, inner->pointer) == 0 && i > j; /* told once */
            if (i != j && !twice && (outer->named || inner->named) && overlap(outer->pointer, inner->pointer))
                PROBLEM(inner->named ? inner->setting : outer->setting,
                        "pointers: \"%s\" (%s) and \"%s\" (%s) are written to the same place; give each its own", outer->name,
                        outer->pointer, inner->name, inner->pointer);
        }
}

static bool uses_scim_patch(const config_setting_t *requests)
{
    const char *send = NULL;

    for (int i = 0; requests != NULL && config_setting_is_group(requests) && i < config_setting_length(requests); i++) {
        const config_setting_t *request = config_setting_get_elem(requests, (unsigned)i);
        if (config_setting_is_group(request) && config_setting_lookup_string(request, "send", &send) == CONFIG_TRUE &&
            strcmp(send, "scim_patch") == 0)
            return true;
    }
    return false;
}

static void check_scim_paths(const struct attributes *attributes, struct problems *problems)
{
    for (size_t i = 0; i < attributes->count; i++) {
        cleanup_free char *path = patch_scim_path(attributes->list[i].pointer);
        if (path == NULL)
            PROBLEM(attributes->list[i].setting,
                    "pointers: \"%s\" (%s) leads into a list, which send = \"scim_patch\" cannot name; "
                    "give the whole list as one attribute",
                    attributes->list[i].name, attributes->list[i].pointer);
    }
}

void rest_check_pointers(const config_setting_t *root, struct problems *problems)
{
    const config_setting_t *pointers = member(root, "pointers"), *requests = member(root, "requests");
    struct attributes attributes = { 0 };
    size_t before = problems->count;

    add_attributes(&attributes, member(root, "account"));
    add_attributes(&attributes, member(root, "disable"));
    add_where_attributes(&attributes, member(requests, "match"));
    if (pointers != NULL && !config_setting_is_group(pointers))
        PROBLEM(pointers, "pointers: a group is expected, { first_name = \"/name/given\"; }");
    for (int i = 0; pointers != NULL && config_setting_is_group(pointers) && i < config_setting_length(pointers); i++)
        take_pointer_of(&attributes, config_setting_get_elem(pointers, (unsigned)i), problems);
    if (problems->count == before)
        check_overlaps(&attributes, problems);
    if (uses_scim_patch(requests))
        check_scim_paths(&attributes, problems);
    attributes_free(&attributes);
}
