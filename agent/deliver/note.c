/* What a lane has done, for the receipt: operations as JSON, without secrets. */
#include "base/str.h"
#include "deliver/intent.h"
#include "deliver/run.h"

static bool is_secret_attribute(const char *name)
{
    static const char *const secret[] = { "userPassword", "unicodePwd", "sambaNTPassword", "password", NULL };

    for (size_t i = 0; secret[i] != NULL; i++)
        if (strcasecmp(secret[i], name) == 0)
            return true;
    return false;
}

static void hide_secrets(json_t *object)
{
    const char *name;
    void *next;
    json_t *value;

    json_object_foreach_safe(object, next, name, value)
    {
        if (is_secret_attribute(name))
            json_object_set_new_nocheck(object, name, json_string("(hidden)"));
    }
}

/* A copy only where something is to be hidden. */
static json_t *without_secrets(const json_t *values)
{
    json_t *object = json_incref((json_t *)(uintptr_t)values);
    const char *name;
    json_t *value;
    bool secret = false;

    json_object_foreach(object, name, value)
        secret = secret || is_secret_attribute(name);
    if (secret) {
        json_decref(object);
        object = json_copy(object);
        hide_secrets(object);
    }
    return object;
}

/* Which sessions were looked for. */
static void put_sweep(json_t *object, const struct operation *operation)
{
    char before[WALL_TEXT_BYTES];

    wall_format(operation->before, before);
    json_object_set_new_nocheck(object, "before", json_string(before));
    json_object_set_new_nocheck(object, "sweep", json_integer(operation->sweep));
    if (json_is_true(json_object_get(operation->settings, "dated_only")))
        json_object_set_new_nocheck(object, "dated_only", json_true());
}

static json_t *changes_json(const struct operation *operation)
{
    static const char *const words[] = { "add", "delete", "replace" };
    bool whole = operation->kind == OPERATION_CREATE && operation->values != NULL; /* others' values are what it shall be afterwards */
    json_t *object = whole ? json_copy(operation->values) : json_object();

    hide_secrets(object);
    for (size_t i = 0; i < operation->change_count; i++) {
        const struct change *change = &operation->changes[i];
        json_t *values = change->values != NULL ? json_incref(change->values) : json_array();
        if (is_secret_attribute(change->name)) {
            json_decref(values);
            values = json_string("(hidden)");
        }
        json_t *one = json_object_get(object, change->name);
        if (one == NULL) {
            one = json_object();
            json_object_set_new_nocheck(object, change->name, one);
        }
        json_object_set_new_nocheck(one, words[change->kind], values);
    }
    if (operation->kind == OPERATION_REVOKE)
        put_sweep(object, operation);
    if (operation->new_locator != NULL)
        json_object_set_new_nocheck(object, "(moved to)", json_string_nocheck(operation->new_locator));
    if (operation->attribute != NULL)
        json_object_set_new_nocheck(object, operation->attribute, json_string_nocheck(operation->value));
    return object;
}

char *lane_json_text(const json_t *json)
{
    return json != NULL ? json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
}

/* Passwords that a mapping writes once stay in the target alone. */
char *lane_values_text(const json_t *values)
{
    json_t *shown = without_secrets(values);
    char *text = lane_json_text(shown);
    json_decref(shown);
    return text;
}

/* A creation that was accepted or not answered may yet show; after that, or where the answer is known, another attempt is another. */
static struct wall wait_of(const struct lane_run *run, const struct operation *operation, const struct receipt *receipt)
{
    bool waits = operation->kind == OPERATION_CREATE && receipt->outcome == OUTCOME_RETRY && receipt->retry_after_us > 0;

    return (struct wall){ waits ? clock_wall(run->job->clock).us + receipt->retry_after_us : 0 };
}

bool lane_note_operation(struct lane_run *run, const struct operation *operation, const struct operation_intent *intent,
                         const struct receipt *receipt)
{
    struct lane_result *result = run->result;
    struct operation_record *list = realloc(result->operations, (result->operation_count + 1) * sizeof(*list));
    struct wall wait = wait_of(run, operation, receipt);
    bool settled = intent_is_settled(receipt->outcome), answered = !settled && receipt->answered;

    if (list == NULL)
        return false;
    result->operations = list;
    json_t *changes = changes_json(operation);
    json_t *before = without_secrets(operation->before_image);
    list[result->operation_count++] = (struct operation_record){
        .kind = operation_kind_name(operation->kind),
        .locator = str_dup(operation->locator),
        .outcome = outcome_name(receipt->outcome),
        .changes = lane_json_text(changes),
        .before = lane_json_text(before),
        .intent = settled || answered || wait.us != 0 ? str_dup(intent->digest) : NULL,
        .intent_wait = wait,
        .intent_answered = answered,
        .note = str_dup(receipt->note),
        .sessions_found = receipt->sessions_found,
        .sessions_ended = receipt->sessions_ended,
    };
    json_decref(changes);
    json_decref(before);
    return true;
}

/* The operation that names the whole: the last in this list that took place. */
static const enum operation_kind action_rank[] = {
    OPERATION_MEMBER_REMOVE, OPERATION_MEMBER_ADD, OPERATION_UPDATE, OPERATION_RENAME,
    OPERATION_ENABLE,        OPERATION_DISABLE,    OPERATION_CREATE, OPERATION_REMOVE,
    OPERATION_REVOKE,
};

static int rank_of(enum operation_kind kind)
{
    for (size_t i = 0; i < sizeof(action_rank) / sizeof(action_rank[0]); i++)
        if (action_rank[i] == kind)
            return (int)i;
    return -1;
}

void lane_note_action(struct lane_run *run, enum operation_kind kind)
{
    if (rank_of(kind) > run->action_rank) {
        run->action_rank = rank_of(kind);
        run->result->action = operation_kind_name(kind);
    }
}

void lane_note_receipt(struct lane_run *run, const struct operation *operation, const struct receipt *receipt)
{
    struct lane_result *result = run->result;

    if (receipt->note != NULL) {
        free(result->note);
        result->note = str_dup(receipt->note);
    }
    if (operation->kind != OPERATION_REVOKE)
        return;
    result->sweep = operation->sweep;
    result->sessions_found += receipt->sessions_found;
    result->sessions_ended += receipt->sessions_ended;
    if (operation->sweep <= 1 && (receipt->outcome == OUTCOME_APPLIED || receipt->outcome == OUTCOME_UNCHANGED))
        result->swept_at = clock_wall(run->job->clock);
}
