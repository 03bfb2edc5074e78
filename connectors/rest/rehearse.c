#include "connectors/rest/rehearse.h"

#include "base/str.h"
#include "connectors/rest/answer.h"
#include "connectors/rest/pages.h"
#include "connectors/rest/pointer.h"

struct rehearsal {
    struct connector_session *session;
    const struct connector_sample *sample;
    struct problems *problems;
    struct buf notes;
    json_t *items; /* of the list's first page; NULL: none were seen */
    char *key;     /* of the first of them; NULL: none */
};

#define TELL(rehearsal, ...) problems_add((rehearsal)->problems, NULL, 0, 0, __VA_ARGS__)

static void note(struct rehearsal *rehearsal, const char *text)
{
    buf_printf(&rehearsal->notes, "%s%s", rehearsal->notes.length > 0 ? "\n" : "", text);
}

/* What a request came to, where it is a failure. */
static bool is_answered(struct rehearsal *rehearsal, const char *name, enum outcome outcome, struct receipt *receipt)
{
    bool good = outcome == OUTCOME_APPLIED || outcome == OUTCOME_GONE;

    if (!good)
        TELL(rehearsal, "requests.%s: %s", name, receipt->reason != NULL ? receipt->reason : outcome_name(outcome));
    receipt_clear(receipt);
    return good;
}

/* ---- the list ---- */

static int take_item(void *arg, const json_t *item, const struct reply *reply, struct receipt *receipt)
{
    struct rehearsal *rehearsal = arg;

    (void)reply;
    (void)receipt;
    return json_array_append(rehearsal->items, (json_t *)(uintptr_t)item) == 0 ? 0 : 1;
}

/* One page is enough. */
static void ask_list(struct rehearsal *rehearsal, const json_t *settings)
{
    struct receipt receipt = { 0 };
    struct error error = { 0 };
    struct call call;

    rehearsal->items = json_array();
    if (rehearsal->items == NULL || call_find(settings, CALL_LIST, false, &call, NULL) < 0) {
        note(rehearsal, "requests has no list: what an account looks like was not seen");
        return;
    }
    call.next = NULL;
    enum outcome outcome = pages_walk(rehearsal->session, &call, take_item, rehearsal, NULL, &receipt);
    if (!is_answered(rehearsal, "list", outcome, &receipt))
        return;
    if (json_array_size(rehearsal->items) == 0)
        note(rehearsal, "the list is empty: what an account looks like was not seen");
    else if (answer_id(&call, json_array_get(rehearsal->items, 0), &rehearsal->key, &error) < 0)
        TELL(rehearsal, "requests.list: %s", error.text);
}

/* ---- what an account shows ---- */

static bool is_shown(const struct rehearsal *rehearsal, const char *pointer)
{
    bool shown = false;

    for (size_t i = 0; i < json_array_size(rehearsal->items) && !shown; i++)
        shown = pointer_get_value(json_array_get(rehearsal->items, i), pointer) != NULL;
    return shown;
}

static bool may_be_nothing(const json_t *wanted)
{
    bool nothing = json_is_string(wanted) && json_string_length(wanted) == 0;

    for (size_t i = 0; i < json_array_size(wanted) && !nothing; i++)
        nothing = may_be_nothing(json_array_get(wanted, i));
    return nothing;
}

/* Does a `where` of any request allow that nothing stands there? Then nobody may have it yet. */
static bool is_optional(const json_t *settings, const char *name)
{
    struct call call;
    bool optional = false;

    for (size_t i = 0; i < call_match_count(settings) && !optional; i++)
        optional = call_match(settings, i, &call, NULL) == 0 && may_be_nothing(json_object_get(call.where, name));
    return optional;
}

static void check_attribute(struct rehearsal *rehearsal, const json_t *settings, const struct call *call, const char *name,
                            json_t *told)
{
    cleanup_free char *pointer = attribute_pointer(call->pointers, name);

    if (pointer == NULL || json_object_get(told, name) != NULL || is_shown(rehearsal, pointer))
        return;
    json_object_set_new(told, name, json_true());
    cleanup_free char *text = str_printf("none of the %zu accounts of the list has anything at %s, by which \"%s\" (where) is read",
                                         json_array_size(rehearsal->items), pointer, name);
    if (text != NULL && is_optional(settings, name))
        note(rehearsal, text);
    else if (text != NULL)
        TELL(rehearsal, "%s: nobody would ever be found by it", text);
}

static void check_shown(struct rehearsal *rehearsal, const json_t *settings)
{
    json_t *told = json_object(), *wanted;
    const char *name;
    struct call call;

    for (size_t i = 0; i < call_match_count(settings); i++)
        if (call_match(settings, i, &call, NULL) == 0)
            json_object_foreach ((json_t *)(uintptr_t)call.where, name, wanted)
                check_attribute(rehearsal, settings, &call, name, told);
    json_decref(told);
}

/* ---- reading one ---- */

static void ask_read(struct rehearsal *rehearsal)
{
    json_t *settings = rehearsal->sample->render(rehearsal->sample->arg, "read", rehearsal->key);
    const char *pointer = json_string_value(pointer_get(settings, "/result/disabled/pointer"));
    cleanup_found struct found found = { 0 };
    struct receipt receipt = { 0 };
    enum outcome outcome = find_by_key(rehearsal->session, settings, rehearsal->key, &found, &receipt);

    if (outcome == OUTCOME_GONE)
        TELL(rehearsal, "requests.read: %s, which the list has just shown",
             receipt.reason != NULL ? receipt.reason : "nobody was found");
    else if (is_answered(rehearsal, "read", outcome, &receipt) && pointer != NULL && found.disabled < 0)
        TELL(rehearsal, "requests.read: \"%s\" shows nothing at %s that result.disabled could be held against: nobody would be seen "
             "to be out", rehearsal->key, pointer);
    receipt_clear(&receipt);
    json_decref(settings);
}

/* ---- looking for nobody ---- */

static int stop_at_first(void *arg, const json_t *item, const struct reply *reply, struct receipt *receipt)
{
    (void)arg;
    (void)item;
    (void)reply;
    (void)receipt;
    return 1;
}

static void ask_match(struct rehearsal *rehearsal, const json_t *settings, size_t index)
{
    cleanup_free char *name = str_printf("match[%zu]", index);
    struct pages_seen seen = { 0 };
    struct receipt receipt = { 0 };
    struct call call;

    if (name == NULL || call_match(settings, index, &call, NULL) < 0)
        return;
    enum outcome outcome = pages_walk(rehearsal->session, &call, stop_at_first, NULL, &seen, &receipt);
    if (outcome == OUTCOME_GONE && receipt.remote_code >= 400 && receipt.remote_code != 404) /* as `outcomes` says of it */
        note(rehearsal, receipt.reason != NULL ? receipt.reason : name);
    bool good = is_answered(rehearsal, name, outcome, &receipt);
    if (good && (seen.items > 0 || (call.items == NULL && outcome == OUTCOME_APPLIED)))
        TELL(rehearsal, "requests.%s: %s %.*s was asked for somebody who cannot be there, and answered with %lld: the target takes no "
             "notice of the query; correct its name and form", name, call.method, (int)strcspn(call.path, "?"), call.path,
             call.items == NULL ? 1 : seen.items);
}

static void ask_matches(struct rehearsal *rehearsal)
{
    json_t *settings = rehearsal->sample->render(rehearsal->sample->arg, "read", NULL);
    size_t count = call_match_count(settings);

    if (count == 0)
        note(rehearsal, "nothing of match could be rendered for somebody who has a name and a login alone");
    for (size_t i = 0; i < count; i++)
        ask_match(rehearsal, settings, i);
    if (json_array_size(rehearsal->items) > 0)
        check_shown(rehearsal, settings);
    json_decref(settings);
}

/* ---- groups of a member ---- */

static void ask_groups(struct rehearsal *rehearsal)
{
    const struct connector_sample *sample = rehearsal->sample;
    json_t *settings = sample->render(sample->arg, "groups_of", sample->member), *groups = NULL;
    const struct group_query query = { sample->member_attribute, sample->member, NULL, settings };
    struct receipt receipt = { 0 };

    enum outcome outcome = rest_read_groups(rehearsal->session, &query, &groups, &receipt);
    if (outcome == OUTCOME_APPLIED && receipt.partial)
        note(rehearsal, "the groups of a member are not shown: what Provost wrote into them counts");
    is_answered(rehearsal, "groups_of", outcome, &receipt);
    json_decref(groups);
    json_decref(settings);
}

/* ---- all of it ---- */

void rest_rehearse(struct connector_session *session, const struct connector_sample *sample, struct problems *problems,
                   char **ret_key, char **ret_note)
{
    struct rehearsal rehearsal = { .session = session, .sample = sample, .problems = problems };
    json_t *list = sample->render(sample->arg, "list", NULL);

    ask_list(&rehearsal, list);
    if (rehearsal.key != NULL)
        ask_read(&rehearsal);
    ask_matches(&rehearsal);
    if (sample->member != NULL)
        ask_groups(&rehearsal);
    *ret_note = rehearsal.notes.length > 0 ? buf_take(&rehearsal.notes) : NULL;
    *ret_key = rehearsal.key;
    json_decref(rehearsal.items);
    json_decref(list);
    session_forget(session);
}
