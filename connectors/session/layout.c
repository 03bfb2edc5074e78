#include "connectors/session/layout.h"

#include <stdlib.h>
#include <string.h>

#include "base/option.h"
#include "base/str.h"

const char *const store_kind_names[] = { "redis", "memcached", "files", "sqlite", "postgresql", "mysql", NULL };

const char *store_kind_name(int store)
{
    return store >= 0 && store < STORE_KIND_COUNT ? store_kind_names[store] : "unknown";
}

static const char *const formats[] = { "token", "json", "php", "serialized", "django", "java", "plain", "cookie", NULL };
static const char *const encodings[] = { "none", "base64", NULL };
static const char *const types[] = { "string", "hash", NULL };
static const char *const cases[] = { "tell", "false", "true", NULL };
static const char *const units[] = { "ms", "s", "us", "date", NULL };

#define AT(member) offsetof(struct layout, member)
#define STORES_FILES STORE_BIT(STORE_FILES)
#define STORES_REDIS STORE_BIT(STORE_REDIS)

const struct layout_row layout_rows[] = {
    { "preset", AT(preset), NULL, false, STORES_ALL, "a layout by name; the other members override its lines" },
    { "user", AT(user), NULL, false, STORES_ALL, "what identifies the person inside the sessions: \"{login}\"" },
    { "ignore_case", AT(ignore_case), cases, false, STORES_ALL,
      "a session of ANN is ann's: true or false; left away, such a session is told, and the person is not out while it is there" },
    { "format", AT(format), formats, false, STORES_ALL,
      "how a session's value is read: json, php (name|serialized), serialized (PHP's serialize()), django (signed data), "
      "java (JDK serialisation), plain (the value is the name), token (any bytes: the name as a whole token, with user_at only right behind that "
      "member's name), cookie (not on the server)" },
    { "encoding", AT(encoding), encodings, false, STORES_ALL, "what is around that: none or base64" },
    { "user_at", AT(user_at), NULL, false, STORES_ALL, "where the name stands in the value: a JSON Pointer, \"/passport/user\"" },
    { "created_at", AT(created_at), NULL, false, STORES_ALL,
      "the same for the session's time of creation; of a hash, the field" },
    { "created_unit", AT(created_unit), units, false, STORES_ALL, "of created_at and created_column: ms, s, us or date" },
    { "pattern", AT(pattern), NULL, false, STORES_KEYS | STORES_FILES, "key or file name of a session; * stands for its id" },
    { "type", AT(type), types, false, STORES_REDIS, "of the Redis key: string or hash" },
    { "field", AT(field), NULL, false, STORES_REDIS, "of a hash: the field that tells the person" },
    { "index", AT(index), NULL, false, STORES_KEYS,
      "key of the list of a person's sessions that the application keeps; * stands for the name" },
    { "expires", AT(expires), NULL, false, STORES_REDIS,
      "Spring's key whose end makes the application drop the session; * stands for the id" },
    { "expirations", AT(expirations), NULL, false, STORES_REDIS,
      "Spring's sets of sessions that end in a minute; * stands for the time in ms" },
    { "lock", AT(lock), NULL, false, STORES_KEYS,
      "key that a request holds while it uses the session; * stands for the session's key (memcached: its id)" },
    { "levels", AT(levels), NULL, true, STORES_FILES, "of sub-folders between the folder and the session files" },
    { "table", AT(table), NULL, false, STORES_SQL, "the table of sessions" },
    { "key_column", AT(key_column), NULL, false, STORES_SQL, "its primary key" },
    { "user_column", AT(user_column), NULL, false, STORES_SQL,
      "column that tells the person; without it value_column is looked into" },
    { "value_column", AT(value_column), NULL, false, STORES_SQL, "column of the session's value, read by format" },
    { "created_column", AT(created_column), NULL, false, STORES_SQL, "column of the time of creation" },
    { "expires_column", AT(expires_column), NULL, false, STORES_SQL, "column of the time at which a session ends by itself" },
    { "expires_unit", AT(expires_unit), units, false, STORES_SQL, "of expires_column: ms, s, us or date" },
    { "lookup", AT(lookup), NULL, false, STORES_SQL,
      "query that gives what stands in the sessions for the name $1: \"SELECT id FROM users WHERE email = $1\"" },
    { "cache_key", AT(cache_key), NULL, false, STORES_SQL, "key of the same session in a cache in front; * stands for its id" },
    { NULL, 0, NULL, false, 0, NULL },
};

static const struct layout_row *find_row(const char *name)
{
    for (const struct layout_row *row = layout_rows; row->name != NULL; row++)
        if (strcmp(row->name, name) == 0)
            return row;
    return NULL;
}

static const struct preset *find_preset(const char *name)
{
    for (const struct preset *preset = layout_presets; preset->name != NULL; preset++)
        if (strcmp(preset->name, name) == 0)
            return preset;
    return NULL;
}

/* ", did you mean …" or the list, as the end of a sentence. */
static char *nearest_name(const char *name, const char *const *list)
{
    const char *nearest = str_nearest(name, list);
    struct buf text = { 0 };

    if (nearest != NULL)
        buf_printf(&text, "did you mean \"%s\"?", nearest);
    else
        for (size_t i = 0; list[i] != NULL; i++)
            buf_printf(&text, "%s%s", i == 0 ? "possible are " : ", ", list[i]);
    return buf_take(&text);
}

#define NAMES_MOST 64

static char *nearest_row(const char *name)
{
    const char *names[NAMES_MOST] = { 0 };

    for (size_t i = 0; layout_rows[i].name != NULL && i + 1 < NAMES_MOST; i++)
        names[i] = layout_rows[i].name;
    return nearest_name(name, names);
}

static char *nearest_preset(const char *name)
{
    const char *names[NAMES_MOST] = { 0 };

    for (size_t i = 0; layout_presets[i].name != NULL && i + 1 < NAMES_MOST; i++)
        names[i] = layout_presets[i].name;
    return nearest_name(name, names);
}

static char *presets_for(int store)
{
    struct buf text = { 0 };

    for (const struct preset *preset = layout_presets; preset->name != NULL; preset++)
        if ((preset->stores & STORE_BIT(store)) != 0)
            buf_printf(&text, "%s%s", text.length > 0 ? ", " : "", preset->name);
    return buf_take(&text);
}

/* ---- setting one member ---- */

static int choose(const struct layout_row *row, const char *text)
{
    for (int i = 0; row->choices[i] != NULL; i++)
        if (strcmp(row->choices[i], text) == 0)
            return i;
    return -1;
}

static int set_choice(struct layout *layout, const struct layout_row *row, const char *text, struct error *error)
{
    int choice = choose(row, text);

    if (choice < 0) {
        cleanup_free char *hint = nearest_name(text, row->choices);
        return error_set(error, ERROR_INVALID, "sessions.%s cannot be \"%s\"; %s", row->name, text, hint != NULL ? hint : "");
    }
    *(int *)((char *)layout + row->offset) = choice;
    return 0;
}

static int set_number(struct layout *layout, const struct layout_row *row, const char *text, struct error *error)
{
    long long number;

    if (!str_to_int64(text, &number) || number < 0 || number > 16)
        return error_set(error, ERROR_INVALID, "sessions.%s has to be a number from 0 to 16, not \"%s\"", row->name, text);
    *(int64_t *)((char *)layout + row->offset) = number;
    return 0;
}

/* An empty text takes a preset's line away. */
static int set_text(struct layout *layout, const struct layout_row *row, const char *text, struct error *error)
{
    char **member = (char **)((char *)layout + row->offset);
    char *copy = *text != '\0' ? str_dup(text) : NULL;

    if (*text != '\0' && copy == NULL)
        return error_nomem(error);
    free(*member);
    *member = copy;
    return 0;
}

static int set_member(struct layout *layout, const char *name, const char *text, struct error *error)
{
    const struct layout_row *row = find_row(name);

    if (row == NULL) {
        cleanup_free char *hint = nearest_row(name);
        return error_set(error, ERROR_INVALID, "sessions.%s is unknown; %s", name, hint != NULL ? hint : "");
    }
    if (row->choices != NULL)
        return set_choice(layout, row, text, error);
    return row->number ? set_number(layout, row, text, error) : set_text(layout, row, text, error);
}

/* ---- presets and what is missing ---- */

static int set_preset(struct layout *layout, const char *name, int store, struct error *error)
{
    const struct preset *preset = find_preset(name);

    if (preset == NULL) {
        cleanup_free char *hint = nearest_preset(name);
        return error_set(error, ERROR_INVALID, "sessions.preset \"%s\" is unknown; %s", name, hint != NULL ? hint : "");
    }
    if ((preset->stores & STORE_BIT(store)) == 0) {
        cleanup_free char *hint = presets_for(store);
        return error_set(error, ERROR_INVALID, "sessions.preset \"%s\" is not for store = \"%s\", which has %s; or another store is meant",
                         name, store_kind_name(store), hint != NULL ? hint : "others");
    }
    int code = 0;
    for (const struct preset_line *line = preset->lines; code == 0 && line->name != NULL; line++)
        code = set_member(layout, line->name, line->value, error);
    return code;
}

/* What a sweep cannot do without; NULL: all is there. */
static const char *missing_member(const struct layout *layout, int store)
{
    bool pointer = layout->format == FORMAT_JSON || layout->format == FORMAT_PHP || layout->format == FORMAT_SERIALIZED ||
                   layout->format == FORMAT_DJANGO;
    bool sql = (STORES_SQL & STORE_BIT(store)) != 0;

    if (layout->user == NULL)
        return "user";
    if (layout->format == FORMAT_COOKIE)
        return NULL;
    if (sql && layout->table == NULL)
        return "table";
    if (sql && layout->key_column == NULL)
        return "key_column";
    if (sql && layout->user_column == NULL && layout->value_column == NULL)
        return "user_column (or value_column)";
    if (!sql && layout->pattern == NULL)
        return "pattern";
    if (store == STORE_MEMCACHED && layout->index == NULL)
        return "index (memcached cannot be searched: the application has to keep a list of each person's sessions)";
    if (store == STORE_REDIS && layout->type == TYPE_HASH && layout->field == NULL && layout->index == NULL)
        return "field";
    if (pointer && layout->user_at == NULL && layout->user_column == NULL && layout->index == NULL)
        return "user_at";
    return NULL;
}

static int check_pattern(const char *name, const char *pattern, struct error *error)
{
    if (pattern == NULL || (strchr(pattern, '*') != NULL && strchr(pattern, '*') == strrchr(pattern, '*')))
        return 0;
    return error_set(error, ERROR_INVALID, "sessions.%s \"%s\" needs exactly one *", name, pattern);
}

static int check_pointer(const char *name, const char *pointer, struct error *error)
{
    if (pointer == NULL || pointer[0] == '/')
        return 0;
    cleanup_free char *right = str_dup(pointer);
    for (char *dot = right; dot != NULL && (dot = strchr(dot, '.')) != NULL;)
        *dot = '/';
    return error_set(error, ERROR_INVALID, "sessions.%s \"%s\" is no pointer; right would be \"/%s\"", name, pointer,
                     right != NULL ? right : pointer);
}

/* Where nothing can be looked up, no place can be given. */
static int check_places(const struct layout *layout, int store, struct error *error)
{
    bool names_members = layout->format != FORMAT_JAVA && layout->format != FORMAT_PLAIN && layout->format != FORMAT_COOKIE;
    bool finds_times = names_members && layout->format != FORMAT_TOKEN;

    if (layout->user_at != NULL && !names_members)
        return error_set(error, ERROR_INVALID, "sessions.user_at has no meaning with format = \"%s\"; choose the format that the "
                         "values have, or write user_at = \"\"", formats[layout->format]);
    if (layout->created_at != NULL && store != STORE_FILES && layout->type != TYPE_HASH && !finds_times)
        return error_set(error, ERROR_INVALID, "sessions.created_at cannot be looked up with format = \"%s\"; choose the format "
                         "that the values have, or write created_at = \"\"", formats[layout->format]);
    return 0;
}

static int check_whole(const struct layout *layout, int store, struct error *error)
{
    const struct {
        const char *name, *pattern;
    } patterns[] = { { "pattern", layout->pattern }, { "index", layout->index },  { "expires", layout->expires },
                     { "expirations", layout->expirations }, { "lock", layout->lock },  { "cache_key", layout->cache_key } };
    const char *missing = missing_member(layout, store);

    if (missing != NULL)
        return error_set(error, ERROR_INVALID, "sessions.%s is missing: add it, or a preset that has it", missing);
    if (check_pointer("user_at", layout->user_at, error) < 0 || check_places(layout, store, error) < 0)
        return ERROR_INVALID;
    int code = 0;
    for (size_t i = 0; code == 0 && i < sizeof(patterns) / sizeof(patterns[0]); i++)
        code = check_pattern(patterns[i].name, patterns[i].pattern, error);
    return code;
}

/* ---- the rendered group ---- */

static int read_member(struct layout *layout, const char *name, const json_t *value, int store, struct error *error)
{
    const struct layout_row *row = find_row(name);
    char number[32];

    if (strcmp(name, "former") == 0 || strcmp(name, "preset") == 0)
        return 0; /* session.c's; done first */
    if (row != NULL && (row->stores & STORE_BIT(store)) == 0)
        return error_set(error, ERROR_INVALID, "sessions.%s has no meaning for store = \"%s\"; remove it", name,
                         store_kind_name(store));
    if (json_is_string(value))
        return set_member(layout, name, json_string_value(value), error);
    if (json_is_boolean(value))
        return set_member(layout, name, json_is_true(value) ? "true" : "false", error);
    if (!json_is_integer(value))
        return error_set(error, ERROR_INVALID, "sessions.%s has to be a text", name);
    snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
    return set_member(layout, name, number, error);
}

static int read_all(struct layout *layout, const json_t *sessions, int store, struct error *error)
{
    const char *preset = json_string_value(json_object_get(sessions, "preset")), *name;
    const json_t *value;
    int code = 0;

    if (!json_is_object(sessions))
        return error_set(error, ERROR_INVALID, "the mapping has no group \"sessions\"");
    if (preset != NULL)
        code = set_preset(layout, preset, store, error);
    if (code == 0 && preset != NULL)
        code = set_member(layout, "preset", preset, error);
    json_object_foreach ((json_t *)sessions, name, value) {
        if (code < 0)
            return code;
        code = read_member(layout, name, value, store, error);
    }
    return code < 0 ? code : check_whole(layout, store, error);
}

int layout_read(const json_t *sessions, int store, struct layout *ret_layout, struct error *error)
{
    struct layout layout = { 0 };
    int code = read_all(&layout, sessions, store, error);

    if (code < 0)
        layout_clear(&layout);
    else
        *ret_layout = layout;
    return code;
}

void layout_clear(struct layout *layout)
{
    for (const struct layout_row *row = layout_rows; row->name != NULL; row++)
        if (row->choices == NULL && !row->number)
            free(*(char **)((char *)layout + row->offset));
    *layout = (struct layout){ 0 };
}

int layout_copy(const struct layout *layout, struct layout *ret_layout)
{
    struct layout copy = *layout;
    bool failed = false;

    for (const struct layout_row *row = layout_rows; row->name != NULL; row++) {
        char **member = (char **)((char *)&copy + row->offset);
        if (row->choices != NULL || row->number || *member == NULL)
            continue;
        *member = str_dup(*member);
        failed = failed || *member == NULL;
    }
    if (failed) {
        layout_clear(&copy);
        return ERROR_NOMEM;
    }
    *ret_layout = copy;
    return 0;
}

static bool member_same(const struct layout_row *row, const struct layout *a, const struct layout *b)
{
    const char *in_a = (const char *)a + row->offset, *in_b = (const char *)b + row->offset;

    if (row->choices != NULL)
        return *(const int *)in_a == *(const int *)in_b;
    if (row->number)
        return *(const int64_t *)in_a == *(const int64_t *)in_b;
    return row->offset == AT(user) || row->offset == AT(preset) || str_equal(*(char *const *)in_a, *(char *const *)in_b);
}

bool layout_same(const struct layout *a, const struct layout *b)
{
    for (const struct layout_row *row = layout_rows; row->name != NULL; row++)
        if (!member_same(row, a, b))
            return false;
    return true;
}

uint64_t layout_hash(const struct layout *layout)
{
    uint64_t hash = STR_HASH_START;

    for (const struct layout_row *row = layout_rows; row->name != NULL; row++) {
        const char *member = (const char *)layout + row->offset;
        const char *text = row->choices == NULL && !row->number ? *(char *const *)member : NULL;
        bool person = row->offset == AT(user) || row->offset == AT(preset) || row->offset == AT(ignore_case);
        if (text != NULL && !person)
            hash = str_hash(hash, text, strlen(text));
        else if (row->number)
            hash = str_hash(hash, member, sizeof(int64_t));
        else if (row->choices != NULL && !person)
            hash = str_hash(hash, member, sizeof(int));
        hash = str_hash(hash, ";", 1);
    }
    return hash;
}

/* ---- the group in the file ---- */

struct check {
    struct problems *problems;
    unsigned stores; /* that all members so far go with */
};

#define PROBLEM(setting, ...) problems_add(check->problems, setting_file(setting), setting_line(setting), 0, __VA_ARGS__)

static void check_member(struct check *check, const config_setting_t *member)
{
    const char *name = config_setting_name(member);
    const struct layout_row *row = find_row(name);
    const char *text = config_setting_get_string(member);
    struct layout scratch = { 0 };
    struct error error = { 0 };

    if (row == NULL) {
        cleanup_free char *hint = nearest_row(name);
        PROBLEM(member, "unknown name \"%s\" in sessions; %s", name, hint != NULL ? hint : "");
        return;
    }
    if ((row->stores & check->stores) == 0)
        PROBLEM(member, "sessions.%s does not go with the other lines: it is of another kind of store", name);
    else
        check->stores &= row->stores;
    bool yes_or_no = row->choices == cases && config_setting_type(member) == CONFIG_TYPE_BOOL;
    if (text == NULL && !yes_or_no && !(row->number && config_setting_type(member) == CONFIG_TYPE_INT))
        PROBLEM(member, "sessions.%s has to be %s", name, row->choices == cases ? "true or false" : row->number ? "a number" : "a text");
    else if (text != NULL && row->choices != NULL && strchr(text, '{') == NULL && set_choice(&scratch, row, text, &error) < 0)
        PROBLEM(member, "%s", error.text);
}

static void check_preset(struct check *check, const config_setting_t *member)
{
    const char *name = config_setting_get_string(member);
    const struct preset *preset = name != NULL ? find_preset(name) : NULL;

    if (preset != NULL) {
        check->stores &= preset->stores;
        return;
    }
    cleanup_free char *hint = nearest_preset(name != NULL ? name : "");
    PROBLEM(member, "sessions.preset \"%s\" is unknown; %s", name != NULL ? name : "", hint != NULL ? hint : "");
}

/* The group as it stands in the file, templates and all, read for this store. */
static int read_as_it_stands(const config_setting_t *sessions, int store, struct error *error)
{
    json_t *as_json = json_object();
    struct layout layout = { 0 };

    for (int i = 0; i < config_setting_length(sessions); i++) {
        const config_setting_t *member = config_setting_get_elem(sessions, (unsigned)i);
        const char *text = config_setting_get_string(member);
        json_t *value = text != NULL                                             ? json_string(text)
                        : config_setting_type(member) == CONFIG_TYPE_BOOL ? json_boolean(config_setting_get_bool(member))
                                                                          : json_integer(config_setting_get_int(member));
        json_object_set_new(as_json, config_setting_name(member), value);
    }
    int code = layout_read(as_json, store, &layout, error);
    json_decref(as_json);
    layout_clear(&layout);
    return code;
}

/* It has the right shape for at least one of the stores that it could be meant for. */
static void check_complete(struct check *check, const config_setting_t *sessions)
{
    struct error error = { 0 };

    for (int store = 0; store < STORE_KIND_COUNT; store++)
        if ((check->stores & STORE_BIT(store)) != 0 && read_as_it_stands(sessions, store, &error) == 0)
            return;
    PROBLEM(sessions, "%s", error.text);
}

void layout_check_store(const config_setting_t *sessions, int store, struct problems *problems)
{
    const config_setting_t *preset = config_setting_get_member(sessions, "preset");
    const char *name = preset != NULL ? config_setting_get_string(preset) : NULL;
    struct error error = { 0 };

    if ((name == NULL || strchr(name, '{') == NULL) && read_as_it_stands(sessions, store, &error) < 0)
        problems_add(problems, setting_file(sessions), setting_line(sessions), 0, "%s", error.text);
}

void layout_check(const config_setting_t *sessions, struct problems *problems)
{
    struct check all = { problems, STORES_ALL }, *check = &all;
    size_t before = problems->count;

    if (config_setting_type(sessions) != CONFIG_TYPE_GROUP) {
        PROBLEM(sessions, "sessions has to be a group: sessions: { preset = \"express\"; user = \"{login}\"; };");
        return;
    }
    const config_setting_t *preset = config_setting_get_member(sessions, "preset");
    if (preset != NULL)
        check_preset(check, preset);
    for (int i = 0; i < config_setting_length(sessions); i++)
        check_member(check, config_setting_get_elem(sessions, (unsigned)i));
    if (problems->count == before)
        check_complete(check, sessions);
}

const char *layout_format_name(const struct layout *layout)
{
    return formats[layout->format];
}

/* ---- patterns ---- */

char *layout_key(const char *pattern, const char *text)
{
    const char *star = strchr(pattern, '*');

    if (star == NULL)
        return str_dup(pattern);
    return str_printf("%.*s%s%s", (int)(star - pattern), pattern, text, star + 1);
}

const char *layout_id(const char *pattern, const char *key, size_t length, size_t *ret_length)
{
    const char *star = strchr(pattern, '*');

    if (star == NULL)
        return NULL;
    size_t before = (size_t)(star - pattern), after = strlen(star + 1);
    if (length < before + after || memcmp(key, pattern, before) != 0 || memcmp(key + length - after, star + 1, after) != 0)
        return NULL;
    *ret_length = length - before - after;
    return key + before;
}
