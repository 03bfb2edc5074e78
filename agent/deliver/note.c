/* What a lane has done, for the receipt: operations as JSON, without secrets. */
#include "base/str.h"
#include "deliver/claim.h"
#include "deliver/lane_private.h"

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

bool lane_note_operation(struct lane_run *run, const struct operation *operation, const struct operation_claim *claim,
                           enum outcome outcome, const struct receipt *receipt)
{
    struct lane_result *result = run->result;
    struct lane_operation *list = realloc(result->operations, (result->operation_count + 1) * sizeof(*list));
    bool settled = claim_is_settled(outcome);
    bool waits = operation->kind == OPERATION_CREATE && outcome == OUTCOME_RETRY && receipt->retry_after_us > 0;

    if (list == NULL)
        return false;
    result->operations = list;
    json_t *changes = changes_json(operation);
    json_t *before = operation->before_image != NULL ? json_copy(operation->before_image) : NULL;
    if (before != NULL)
        hide_secrets(before);
    list[result->operation_count++] = (struct lane_operation){
        .kind = operation->kind,
        .outcome = outcome,
        .locator = str_dup(operation->locator),
        .changes = lane_json_text(changes),
        .before = lane_json_text(before),
        .claim = settled || waits ? str_dup(claim->digest) : NULL,
        .claim_wait = { waits ? clock_wall(run->job->clock).us + receipt->retry_after_us : 0 },
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
