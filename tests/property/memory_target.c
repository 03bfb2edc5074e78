#include "tests/property/memory_target.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/str.h"

#define ALREADY_EXISTS 68
#define CLASS_VIOLATION 65
#define NO_SUCH_OBJECT 32
#define NO_SUCH_ATTRIBUTE 16
#define VALUE_EXISTS 20

/* Some answers come after others have gone on several times: a worker may be kept from storing what it did. */
#define SLOW_EVERY 11
static const struct timespec slow_answer = { .tv_nsec = 12000000 };

struct entry {
    char *key, *dn;
    json_t *values; /* attribute → array of text */
};

struct memory_target {
    pthread_mutex_t lock;
    struct entry *entries;
    size_t count;
    int last_key, changes;
    int lost_every;
    enum plant plant;
    struct trouble trouble;
};

struct connector_session {
    struct memory_target *target;
};

/* ---- values ---- */

static json_t *as_array(const json_t *values)
{
    return json_is_array(values) ? json_copy((json_t *)values) : json_pack("[O]", values);
}

static int find_value(const json_t *values, const char *text)
{
    for (size_t i = 0; i < json_array_size(values); i++)
        if (str_equal(json_string_value(json_array_get(values, i)), text))
            return (int)i;
    return -1;
}

static bool add_value(struct entry *entry, const char *name, const char *text)
{
    json_t *values = json_object_get(entry->values, name);

    if (find_value(values, text) >= 0)
        return false;
    if (values == NULL)
        json_object_set_new(entry->values, name, values = json_array());
    json_array_append_new(values, json_string(text));
    return true;
}

static bool take_value(struct entry *entry, const char *name, const char *text)
{
    json_t *values = json_object_get(entry->values, name);
    int at = find_value(values, text);

    if (at < 0)
        return false;
    json_array_remove(values, (size_t)at);
    if (json_array_size(values) == 0)
        json_object_del(entry->values, name);
    return true;
}

static bool is_sound(const struct entry *entry)
{
    bool group = find_value(json_object_get(entry->values, "objectClass"), "groupOfNames") >= 0;

    return !group || json_object_get(entry->values, "member") != NULL;
}

static void naming_value(const char *dn, char name[64], char value[64])
{
    size_t equals = strcspn(dn, "="), comma = strcspn(dn, ",");

    snprintf(name, 64, "%.*s", (int)equals, dn);
    snprintf(value, 64, "%.*s", (int)(comma - equals - 1), dn + equals + 1);
}

/* ---- finding ---- */

static struct entry *by_key(struct memory_target *target, const char *key)
{
    for (size_t i = 0; i < target->count; i++)
        if (str_equal(target->entries[i].key, key))
            return &target->entries[i];
    return NULL;
}

static struct entry *at_place(struct memory_target *target, const char *dn)
{
    for (size_t i = 0; i < target->count; i++)
        if (str_equal(target->entries[i].dn, dn))
            return &target->entries[i];
    return NULL;
}

static bool item_holds(const struct entry *entry, const char *item, size_t length)
{
    cleanup_free char *text = strndup(item, length);
    char *equals = strchr(text, '=');

    if (equals == NULL)
        return false;
    *equals = '\0';
    const json_t *values = json_object_get(entry->values, text);
    return str_equal(equals + 1, "*") ? values != NULL : find_value(values, equals + 1) >= 0;
}

static bool filter_holds(const struct entry *entry, const char *filter)
{
    bool holds = true;

    if (filter[0] == '(' && filter[1] == '&')
        filter += 2;
    for (const char *item = filter; holds && item[0] == '('; item += strcspn(item, ")") + 1) {
        bool not = item[1] == '!';
        item += not ? 2 : 0;
        holds = item_holds(entry, item + 1, strcspn(item + 1, ")")) != not;
        item += not ? 1 : 0; /* the second parenthesis */
    }
    return holds;
}

static struct entry *by_filter(struct memory_target *target, const char *filter, size_t *ret_hits)
{
    struct entry *found = NULL;

    *ret_hits = 0;
    for (size_t i = 0; i < target->count; i++) {
        if (!filter_holds(&target->entries[i], filter))
            continue;
        found = &target->entries[i];
        ++*ret_hits;
    }
    return found;
}

/* ---- reading ---- */

static json_t *values_named(const struct entry *entry, const char *const *names)
{
    json_t *values = json_object();

    if (names == NULL)
        return json_deep_copy(entry->values);
    for (; *names != NULL; names++)
        if (json_object_get(entry->values, *names) != NULL)
            json_object_set_new(values, *names, json_deep_copy(json_object_get(entry->values, *names)));
    return values;
}

static struct entry *find_asked(struct memory_target *target, const struct account_query *query, size_t *ret_hits)
{
    struct entry *found = NULL;

    *ret_hits = 1;
    if (query->key != NULL)
        return by_key(target, query->key);
    if (query->match == NULL || query->match[0] == NULL)
        return at_place(target, query->locator);
    for (const char *const *filter = query->match; *filter != NULL && found == NULL; filter++)
        found = by_filter(target, *filter, ret_hits);
    return found;
}

static enum outcome memory_read(struct connector_session *session, const struct account_query *query, struct account *ret_account,
                                struct receipt *receipt)
{
    struct memory_target *target = session->target;
    size_t hits;

    pthread_mutex_lock(&target->lock);
    const struct entry *found = find_asked(target, query, &hits);
    if (found != NULL && hits == 1)
        *ret_account = (struct account){ strdup(found->key), strdup(found->dn), values_named(found, query->names), -1, NULL };
    pthread_mutex_unlock(&target->lock);
    if (found == NULL)
        return receipt_set(receipt, OUTCOME_GONE, 0, "no entry");
    return hits == 1 ? receipt_set(receipt, OUTCOME_APPLIED, 0, NULL)
                     : receipt_set(receipt, OUTCOME_AMBIGUOUS, 0, "%zu entries match", hits);
}

static enum outcome memory_read_groups(struct connector_session *session, const struct group_query *query, json_t **ret_groups,
                                       struct receipt *receipt)
{
    struct memory_target *target = session->target;
    json_t *groups = json_array();

    pthread_mutex_lock(&target->lock);
    for (size_t i = 0; i < target->count; i++)
        if (find_value(json_object_get(target->entries[i].values, query->attribute), query->value) >= 0)
            json_array_append_new(groups, json_pack("{s:s,s:s}", "key", target->entries[i].key, "locator", target->entries[i].dn));
    pthread_mutex_unlock(&target->lock);
    *ret_groups = groups;
    return receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
}

/* ---- changing; all with the lock held ---- */

static struct account account_of(const struct entry *entry)
{
    return (struct account){ strdup(entry->key), strdup(entry->dn), NULL, -1, NULL };
}

static bool entry_has_all(const struct entry *entry, const json_t *values)
{
    const char *name;
    json_t *value;
    bool has = true;

    json_object_foreach((json_t *)values, name, value)
    {
        json_t *list = as_array(value);
        for (size_t i = 0; i < json_array_size(list); i++)
            has = has && find_value(json_object_get(entry->values, name), json_string_value(json_array_get(list, i))) >= 0;
        json_decref(list);
    }
    return has;
}

static bool has_doubles(const json_t *values)
{
    const char *name;
    json_t *list;
    bool has = false;

    json_object_foreach((json_t *)values, name, list)
        for (size_t i = 0; i < json_array_size(list); i++)
            has = has || find_value(list, json_string_value(json_array_get(list, i))) != (int)i;
    return has;
}

static enum outcome create(struct memory_target *target, const struct operation *operation, struct account *ret_account,
                           struct receipt *receipt)
{
    const struct entry *there = at_place(target, operation->locator);
    const char *name;
    json_t *value;

    if (there != NULL && !entry_has_all(there, operation->values))
        return receipt_set(receipt, OUTCOME_RETRY, ALREADY_EXISTS, "another entry stands at %s", operation->locator);
    if (there != NULL) {
        *ret_account = account_of(there);
        return receipt_set(receipt, OUTCOME_UNCHANGED, 0, NULL);
    }
    struct entry entry = { str_printf("k%d", ++target->last_key), strdup(operation->locator), json_object() };
    json_object_foreach(operation->values, name, value)
        if (json_array_size(value) > 0 || json_is_string(value))
            json_object_set_new(entry.values, name, as_array(value));
    if (has_doubles(entry.values))
        return receipt_set(receipt, OUTCOME_REJECTED, VALUE_EXISTS, "%s is given a value twice", entry.dn);
    if (!is_sound(&entry))
        return receipt_set(receipt, OUTCOME_REJECTED, CLASS_VIOLATION, "%s has no member", entry.dn);
    target->entries = realloc(target->entries, (target->count + 1) * sizeof(entry));
    target->entries[target->count++] = entry;
    *ret_account = account_of(&entry);
    return receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
}

static bool change_values(struct entry *entry, const struct change *change)
{
    json_t *list = change->values != NULL ? as_array(change->values) : json_array();
    bool changed = false;

    if (change->kind == CHANGE_REPLACE || (change->kind == CHANGE_DELETE && json_array_size(list) == 0))
        changed = json_object_del(entry->values, change->name) == 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        changed = (change->kind == CHANGE_DELETE ? take_value : add_value)(entry, change->name, text) || changed;
    }
    json_decref(list);
    return changed;
}

static bool move(struct memory_target *target, struct entry *entry, const char *dn)
{
    char name[64], value[64];

    if (target->plant == PLANT_FORGETS_NAMES)
        return true;
    naming_value(entry->dn, name, value);
    take_value(entry, name, value);
    free(entry->dn);
    entry->dn = strdup(dn);
    naming_value(dn, name, value);
    add_value(entry, name, value);
    return true;
}

static enum outcome change(struct memory_target *target, const struct operation *operation, struct account *ret_account,
                           struct receipt *receipt)
{
    struct entry *entry = operation->key != NULL ? by_key(target, operation->key) : at_place(target, operation->locator);
    const char *to = operation->new_locator;
    bool changed = false;

    if (entry == NULL || !(str_equal(entry->dn, operation->locator) || (to != NULL && str_equal(entry->dn, to))))
        return receipt_set(receipt, OUTCOME_GONE, NO_SUCH_OBJECT, "it is not at %s", operation->locator);
    if (to != NULL && !str_equal(entry->dn, to)) {
        if (at_place(target, to) != NULL)
            return receipt_set(receipt, OUTCOME_RETRY, ALREADY_EXISTS, "another entry stands at %s", to);
        changed = move(target, entry, to);
    }
    for (size_t i = 0; i < operation->change_count; i++)
        changed = change_values(entry, &operation->changes[i]) || changed;
    *ret_account = account_of(entry);
    return receipt_set(receipt, changed ? OUTCOME_APPLIED : OUTCOME_UNCHANGED, 0, NULL);
}

static void entry_clear(struct entry *entry)
{
    free(entry->key);
    free(entry->dn);
    json_decref(entry->values);
}

static enum outcome take_away(struct memory_target *target, const struct operation *operation, struct receipt *receipt)
{
    struct entry *entry = at_place(target, operation->locator);

    if (entry == NULL)
        return receipt_set(receipt, OUTCOME_UNCHANGED, NO_SUCH_OBJECT, "it is gone");
    if (operation->key != NULL && !str_equal(entry->key, operation->key))
        return receipt_set(receipt, OUTCOME_GONE, NO_SUCH_OBJECT, "another entry stands there");
    entry_clear(entry);
    *entry = target->entries[--target->count];
    return receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
}

static enum outcome change_member(struct memory_target *target, const struct operation *operation, struct receipt *receipt)
{
    struct entry *entry = at_place(target, operation->locator);
    bool add = operation->kind == OPERATION_MEMBER_ADD;

    if (entry == NULL || (operation->key != NULL && !str_equal(entry->key, operation->key)))
        return receipt_set(receipt, OUTCOME_GONE, NO_SUCH_OBJECT, "no such group");
    if (!add && target->plant == PLANT_KEEPS_MEMBERS)
        return receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
    bool changed = (add ? add_value : take_value)(entry, operation->attribute, operation->value);
    if (changed && !is_sound(entry)) {
        if (operation->placeholder == NULL) {
            add_value(entry, operation->attribute, operation->value);
            receipt->last_member = true; /* that alone: a code is its kind of target's */
            return receipt_set(receipt, OUTCOME_REJECTED, 0, "the last member");
        }
        add_value(entry, operation->attribute, operation->placeholder);
    }
    return changed ? receipt_set(receipt, OUTCOME_APPLIED, 0, NULL)
                   : receipt_set(receipt, OUTCOME_UNCHANGED, add ? VALUE_EXISTS : NO_SUCH_ATTRIBUTE, NULL);
}

static enum outcome change_any(struct memory_target *target, const struct operation *operation, struct account *ret_account,
                               struct receipt *receipt)
{
    switch (operation->kind) {
    case OPERATION_CREATE:
        return create(target, operation, ret_account, receipt);
    case OPERATION_REMOVE:
        return take_away(target, operation, receipt);
    case OPERATION_MEMBER_ADD:
    case OPERATION_MEMBER_REMOVE:
        return change_member(target, operation, receipt);
    default:
        return change(target, operation, ret_account, receipt);
    }
}

static enum outcome memory_apply(struct connector_session *session, const struct operation *operation, struct account *ret_account,
                                 struct receipt *receipt)
{
    struct memory_target *target = session->target;
    struct account made = { 0 };

    pthread_mutex_lock(&target->lock);
    target->changes++;
    bool refused = trouble_meets(&target->trouble, target->changes, operation, receipt);
    enum outcome outcome = refused ? receipt->outcome : change_any(target, operation, &made, receipt);
    bool lost = target->lost_every != 0 && target->changes % target->lost_every == 0;
    bool slow = target->changes % SLOW_EVERY == 0;
    pthread_mutex_unlock(&target->lock);
    if (slow)
        nanosleep(&slow_answer, NULL);
    if (ret_account != NULL && !lost)
        *ret_account = made;
    else
        account_clear(&made);
    receipt->answered = receipt->answered || !refused;
    if (!lost)
        return outcome;
    receipt_clear(receipt);
    receipt->answered = false;
    return receipt_set(receipt, OUTCOME_RETRY, 0, "no answer in time");
}

/* ---- sessions ---- */

static enum outcome memory_open(const void *settings, struct connector_shared *shared, struct connector_session **ret_session,
                                struct receipt *receipt)
{
    (void)shared;
    *ret_session = calloc(1, sizeof(**ret_session));
    (*ret_session)->target = ((const struct memory_settings *)settings)->target;
    return receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
}

static void memory_close(struct connector_session *session)
{
    free(session);
}

static enum outcome memory_probe(struct connector_session *session, struct receipt *receipt)
{
    (void)session;
    return receipt_set(receipt, OUTCOME_APPLIED, 0, NULL);
}

static const struct option_row no_options[] = { OPTION_END };
static const struct connector_place places[] = {
    { "dn", ESCAPE_DN }, { "match", ESCAPE_FILTER }, { "member", ESCAPE_DN }, { NULL, ESCAPE_NONE }
};

const struct connector_ops memory_ops = {
    .abi = CONNECTOR_ABI,
    .name = "memory",
    .summary = "a directory in memory",
    .options = no_options,
    .settings_bytes = sizeof(struct memory_settings),
    .capabilities = CONNECTOR_ACCOUNTS | CONNECTOR_GROUPS,
    .places = places,
    .locator_attribute = "dn",
    .open = memory_open,
    .close = memory_close,
    .probe = memory_probe,
    .read = memory_read,
    .read_groups = memory_read_groups,
    .apply = memory_apply,
};

/* ---- the test's side ---- */

struct memory_target *memory_target_new(int lost_every, enum plant plant)
{
    struct memory_target *target = calloc(1, sizeof(*target));

    pthread_mutex_init(&target->lock, NULL);
    target->lost_every = lost_every;
    target->plant = plant;
    return target;
}

void memory_target_set_trouble(struct memory_target *target, const struct trouble *trouble)
{
    pthread_mutex_lock(&target->lock);
    target->trouble = *trouble;
    pthread_mutex_unlock(&target->lock);
}

void memory_target_put(struct memory_target *target, const char *dn, json_t *values)
{
    pthread_mutex_lock(&target->lock);
    target->entries = realloc(target->entries, (target->count + 1) * sizeof(*target->entries));
    target->entries[target->count++] = (struct entry){ str_printf("k%d", ++target->last_key), strdup(dn), values };
    pthread_mutex_unlock(&target->lock);
}

void memory_target_free(struct memory_target *target)
{
    for (size_t i = 0; i < target->count; i++)
        entry_clear(&target->entries[i]);
    free(target->entries);
    pthread_mutex_destroy(&target->lock);
    free(target);
}

static json_t *sorted(const json_t *values)
{
    json_t *list = json_array();

    for (size_t i = 0; i < json_array_size(values); i++) {
        json_t *value = json_array_get(values, i);
        size_t at = 0;
        while (at < json_array_size(list) && strcmp(json_string_value(json_array_get(list, at)), json_string_value(value)) < 0)
            at++;
        json_array_insert(list, at, value);
    }
    return list;
}

json_t *memory_target_dump(struct memory_target *target)
{
    json_t *dump = json_object();
    const char *name;
    json_t *values;

    pthread_mutex_lock(&target->lock);
    for (size_t i = 0; i < target->count; i++) {
        json_t *entry = json_object();
        json_object_foreach(target->entries[i].values, name, values)
            json_object_set_new(entry, name, sorted(values));
        json_object_set_new(dump, target->entries[i].dn, entry);
    }
    pthread_mutex_unlock(&target->lock);
    return dump;
}
