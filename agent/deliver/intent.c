#include "deliver/intent.h"

#include <gnutls/crypto.h>
#include <inttypes.h>

#include "base/random.h"
#include "base/str.h"
#include "deliver/members.h"

#define DIGEST_BYTES 32

void intent_clear(struct operation_intent *intent)
{
    free(intent->digest);
    free(intent->key);
    json_decref(intent->earlier);
    *intent = (struct operation_intent){ 0 };
}

bool intent_is_settled(enum outcome outcome)
{
    static const bool settled[OUTCOME_COUNT] = {
        [OUTCOME_APPLIED] = true, [OUTCOME_UNCHANGED] = true, [OUTCOME_REJECTED] = true,
        [OUTCOME_AMBIGUOUS] = true, [OUTCOME_GONE] = true,
    };

    return settled[outcome];
}

static bool has_keys(const struct lane_run *run)
{
    return (run->job->ops->capabilities & CONNECTOR_IDEMPOTENCY) != 0;
}

static bool needs_key(const struct lane_run *run, const struct operation *operation)
{
    bool once = operation->kind == OPERATION_CREATE || operation->kind == OPERATION_DISABLE || operation->kind == OPERATION_ENABLE;

    return once && has_keys(run);
}

/* ---- the digest of what is written ---- */

static json_t *changes_json(const struct operation *operation)
{
    json_t *list = json_array();

    for (size_t i = 0; i < operation->change_count; i++) {
        const struct change *change = &operation->changes[i];
        json_array_append_new(list, json_pack("[i, s, O?]", (int)change->kind, change->name, change->values));
    }
    return list;
}

/* All that the connector makes its request of, in lines; `settings` as text (NULL: none). */
static char *written_text(const struct operation *operation, const char *settings)
{
    json_t *json = json_pack("{s:b, s:s?, s:s?, s:s?, s:O?, s:o}", "group", operation->group, "key", operation->key, "locator",
                             operation->locator, "new_locator", operation->new_locator, "values", operation->values, "changes",
                             changes_json(operation));
    cleanup_free char *head = json != NULL ? json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

    json_decref(json);
    return head != NULL ? str_printf("%s\n%s", head, settings != NULL ? settings : "") : NULL;
}

static char *digest_of(const struct operation *operation, const char *settings)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[DIGEST_BYTES];
    cleanup_free char *text = written_text(operation, settings);
    struct buf hex = { 0 };

    if (text == NULL || gnutls_hash_fast(GNUTLS_DIG_SHA256, text, strlen(text), digest) < 0)
        return NULL;
    for (size_t i = 0; i < sizeof(digest); i++) {
        buf_add_char(&hex, digits[digest[i] >> 4]);
        buf_add_char(&hex, digits[digest[i] & 15]);
    }
    return buf_take(&hex);
}

/* RFC 9562, version 4 */
static char *uuid_random(struct random_source *random)
{
    uint64_t high = (random->next(random) & ~UINT64_C(0xf000)) | 0x4000;
    uint64_t low = (random->next(random) & UINT64_C(0x3fffffffffffffff)) | UINT64_C(0x8000000000000000);

    return str_printf("%08" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%012" PRIx64, high >> 32, high >> 16 & 0xffff,
                      high & 0xffff, low >> 48, low & UINT64_C(0xffffffffffff));
}

/* ---- with a key ---- */

/* Until the earlier attempt must have shown, another one could be the second of two. */
static bool may_be_sent(struct lane_run *run, const struct intent_found *found)
{
    int64_t left_us = found->wait.us - clock_wall(run->job->clock).us;

    if (!found->repeated || left_us <= 0)
        return true;
    run->result->retry_after_us = left_us;
    return lane_fail(run, OUTCOME_RETRY, "an earlier attempt was not answered, and the target may still be at work on it: it will be looked up "
                     "before anything is sent again");
}

static bool take_found(struct lane_run *run, struct intent_found *found, struct operation_intent *intent)
{
    intent->earlier = json_loads(found->earlier, 0, NULL);
    if (intent->earlier == NULL)
        return lane_fail_nomem(run);
    intent->key = take_pointer(found->key);
    intent->repeated = found->repeated;
    return true;
}

/* The member rows that must be durable with an intent. */
struct noted {
    struct member_change *members;
    size_t count;
};

static bool begin_with_key(struct lane_run *run, const struct operation *operation, const struct noted *noted,
                           struct operation_intent *intent)
{
    const struct lane_job *job = run->job;
    struct error error = { 0 };
    cleanup_free char *settings = lane_json_text(operation->settings);
    cleanup_free char *proposed = uuid_random(job->random);

    intent->digest = digest_of(operation, settings);
    if (intent->digest == NULL || proposed == NULL || (settings == NULL && operation->settings != NULL))
        return lane_fail_nomem(run);
    const struct intent wanted = {
        .target = job->target, .kind = job->kind, .id = job->id, .operation = operation_kind_name(operation->kind),
        .digest = intent->digest, .key = proposed, .sent = operation->kind == OPERATION_CREATE ? settings : NULL,
        .members = noted->members, .member_count = noted->count,
    };
    struct intent_found found = { 0 };
    bool good = store_intend(job->store, &wanted, &found, &error) == 0 || lane_fail_error(run, &error);
    good = good && may_be_sent(run, &found) && take_found(run, &found, intent);
    intent_found_clear(&found);
    return good;
}

/* ---- without one: the lease has noted the creation, unless its facts or its place were others ---- */

static char *names_text(const struct identity *identity)
{
    json_t *names = json_pack("{s:s?, s:s?}", "name", identity->name.value, "login", identity->login.value);
    char *text = lane_json_text(names);

    json_decref(names);
    return text;
}

/* Attempts after which a group no longer waits for another one that may wait for it. */
#define PATIENT_ATTEMPTS 2

/* The other group's creation may be waiting for this one's, at a place that this one has left: it was looked for there, and is not. */
static void stop_keeping_others(struct lane_run *run, const char *place)
{
    if (run->job->attempt > PATIENT_ATTEMPTS)
        store_forget_creations(run->job->store, run->job->target, run->job->id, place, NULL);
}

/* A group's creation, or members that it is about to write; a creation at whose place another group's may be in flight waits. */
static bool intend(struct lane_run *run, const struct operation *operation, const char *digest, const struct noted *noted)
{
    const struct lane_job *job = run->job;
    bool creates = operation->kind == OPERATION_CREATE;
    cleanup_free char *names = names_text(&run->identity);
    const struct intent wanted = {
        .target = job->target, .kind = job->kind, .id = job->id, .operation = operation_kind_name(operation->kind), .digest = digest,
        .sent = names, .place = creates && job->kind == IDENTITY_GROUP ? digest : NULL, .members = noted->members,
        .member_count = noted->count,
    };
    struct intent_found found = { 0 };
    struct error error = { 0 };

    if (names == NULL)
        return lane_fail_nomem(run);
    int code = store_intend(job->store, &wanted, &found, &error);
    intent_found_clear(&found);
    if (code == ERROR_EXISTS && wanted.place != NULL)
        stop_keeping_others(run, digest);
    return code == 0 || lane_fail_error(run, &error);
}

static bool begin_plain(struct lane_run *run, const struct operation *operation, const struct noted *noted,
                        struct operation_intent *intent)
{
    intent->digest = plan_place_key(run->mapping, operation->locator != NULL ? operation->locator : "");
    if (intent->digest == NULL)
        return lane_fail_nomem(run);
    bool by_lease = operation->kind != OPERATION_CREATE || str_equal(run->job->place, intent->digest);
    return (by_lease && noted->count == 0) || intend(run, operation, intent->digest, noted);
}

bool intent_begin(struct lane_run *run, const struct operation *operation, struct operation_intent *ret_intent)
{
    struct noted noted = { calloc(run->member_count + 1, sizeof(*noted.members)), 0 };
    struct operation_intent intent = { 0 };
    bool good = noted.members != NULL || lane_fail_nomem(run);

    if (good && run->member_count > 0)
        noted.count = members_written(run, operation, MEMBER_SENT, noted.members);
    if (good && needs_key(run, operation))
        good = begin_with_key(run, operation, &noted, &intent);
    else if (good && (operation->kind == OPERATION_CREATE || noted.count > 0))
        good = begin_plain(run, operation, &noted, &intent);
    free(noted.members);
    if (good)
        *ret_intent = intent;
    else
        intent_clear(&intent);
    return good;
}

/* ---- what an earlier run may have created ---- */

static bool read_sent(struct lane_run *run, json_t **ret_attempts)
{
    const struct lane_job *job = run->job;
    cleanup_free char *sent = NULL;
    struct error error = { 0 };

    if (store_read_intents(job->store, job->target, job->kind, job->id, operation_kind_name(OPERATION_CREATE), &sent, &error) < 0)
        return lane_fail_error(run, &error);
    *ret_attempts = sent != NULL ? json_loads(sent, 0, NULL) : NULL;
    return sent == NULL || *ret_attempts != NULL || lane_fail_nomem(run);
}

/* With the request of then. */
static enum outcome read_as_sent(struct lane_run *run, const json_t *settings, struct account *ret_account, struct receipt *receipt)
{
    static const char *const no_names[] = { NULL };
    const struct account_query query = { .group = run->job->kind == IDENTITY_GROUP, .names = no_names, .settings = settings };

    return run->job->ops->read(run->job->session, &query, ret_account, receipt);
}

/* By the names of then. */
static enum outcome read_as_named(struct lane_run *run, const json_t *names, struct account *ret_account, struct receipt *receipt)
{
    struct identity former = run->identity; /* borrows all */
    struct plan_query query = { 0 };
    struct error error = { 0 };

    former.name.value = (char *)json_string_value(json_object_get(names, "name"));
    former.login.value = (char *)json_string_value(json_object_get(names, "login"));
    if (plan_query(run->mapping, &former, NULL, &query, &error) < 0)
        return receipt_set(receipt, OUTCOME_RETRY, 0, "%s", error.text);
    if (!mapping_adopts(run->mapping) && query.query.locator != NULL) /* what has the name elsewhere is not what was created */
        query.query.match = NULL;
    enum outcome outcome = run->job->ops->read(run->job->session, &query.query, ret_account, receipt);
    plan_query_clear(&query);
    return outcome;
}

/* What is found is ours, unless it is somebody else's by now, or another group's creation may just have been made there. */
static bool link_made(struct lane_run *run, const struct account *account, bool *ret_found)
{
    const struct lane_job *job = run->job;
    const struct link link = { .key = account->key, .locator = account->locator };
    cleanup_free char *owner = NULL, *place = account->locator != NULL ? plan_place_key(run->mapping, account->locator) : NULL;
    struct error error = { 0 };

    if (job->kind == IDENTITY_GROUP && place != NULL && store_check_creator(job->store, job->target, place, job->id, &error) < 0)
        return lane_fail_error(run, &error);
    *ret_found = account->key != NULL && store_find_owner(job->store, job->target, job->kind, account->key, &owner, NULL) == ERROR_NOTFOUND;
    return !*ret_found || (lane_set_link(run, &link) && lane_store_link(run));
}

static bool look_for_attempt(struct lane_run *run, const json_t *sent, bool *ret_found)
{
    struct account account = { 0 };
    struct receipt receipt = { 0 };
    enum outcome outcome = has_keys(run) ? read_as_sent(run, sent, &account, &receipt) : read_as_named(run, sent, &account, &receipt);
    bool good = outcome == OUTCOME_GONE;

    if (outcome == OUTCOME_APPLIED)
        good = account.protected_by != NULL || link_made(run, &account, ret_found);
    else if (!good)
        lane_fail_receipt(run, &receipt);
    account_clear(&account);
    receipt_clear(&receipt);
    return good;
}

static bool look_for_attempts(struct lane_run *run, bool *ret_any, bool *ret_found)
{
    json_t *attempts = NULL;
    bool good = read_sent(run, &attempts);

    *ret_any = attempts != NULL;
    for (size_t i = 0; good && !*ret_found && i < json_array_size(attempts); i++)
        good = look_for_attempt(run, json_array_get(attempts, i), ret_found);
    json_decref(attempts);
    return good;
}

bool intent_find(struct lane_run *run)
{
    bool any = false, found = false;

    return !run->job->unanswered || has_keys(run) || lane_is_linked(run) || look_for_attempts(run, &any, &found);
}

enum step intent_wait(struct lane_run *run)
{
    bool any = false, found = false;

    if (!has_keys(run) || !run->planned || run->found || run->plan.operation_count > 0 || run->plan.present)
        return STEP_NEXT;
    if (!look_for_attempts(run, &any, &found))
        return STEP_FAILED;
    if (found)
        return STEP_AGAIN;
    if (!any || run->job->attempt > 1)
        return STEP_NEXT;
    run->out = false;
    run->result->retry_after_us = INTENT_APPEARS_US;
    lane_fail(run, OUTCOME_RETRY, "no account is wanted any more and none is there, but one was asked for and the answer was lost: it "
              "is looked for once more");
    return STEP_FAILED;
}
