#include "deliver/claim.h"

#include <gnutls/crypto.h>
#include <inttypes.h>

#include "base/random.h"
#include "base/str.h"

#define DIGEST_BYTES 32

void claim_clear(struct operation_claim *claim)
{
    free(claim->digest);
    free(claim->key);
    json_decref(claim->earlier);
    *claim = (struct operation_claim){ 0 };
}

bool claim_is_settled(enum outcome outcome)
{
    static const bool settled[OUTCOME_COUNT] = {
        [OUTCOME_APPLIED] = true, [OUTCOME_UNCHANGED] = true, [OUTCOME_REJECTED] = true,
        [OUTCOME_AMBIGUOUS] = true, [OUTCOME_GONE] = true,
    };

    return settled[outcome];
}

static bool needs_claim(const struct lane_run *run, const struct operation *operation)
{
    bool changes_once = operation->kind == OPERATION_CREATE || operation->kind == OPERATION_DISABLE || operation->kind == OPERATION_ENABLE;

    return changes_once && (run->job->ops->capabilities & CONNECTOR_IDEMPOTENCY) != 0;
}

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

/* Until the earlier attempt must have shown, another one could be the second of two. */
static bool may_be_sent(struct lane_run *run, const struct claim_found *found)
{
    int64_t left_us = found->wait.us - clock_wall(run->job->clock).us;

    if (!found->repeated || left_us <= 0)
        return true;
    run->result->retry_after_us = left_us;
    return lane_fail(run, OUTCOME_RETRY, "an earlier attempt was not answered, and the target may still be at work on it: it will be looked up "
                     "before anything is sent again");
}

static bool take_found(struct lane_run *run, struct claim_found *found, struct operation_claim *claim)
{
    claim->earlier = json_loads(found->earlier, 0, NULL);
    if (claim->earlier == NULL)
        return lane_fail(run, OUTCOME_RETRY, "out of memory");
    claim->key = take_pointer(found->key);
    claim->repeated = found->repeated;
    return true;
}

bool claim_operation(struct lane_run *run, const struct operation *operation, struct operation_claim *ret_claim)
{
    const struct lane_job *job = run->job;
    struct error error = { 0 };

    if (!needs_claim(run, operation))
        return true;
    cleanup_free char *settings = lane_json_text(operation->settings);
    cleanup_free char *proposed = uuid_random(job->random);
    struct operation_claim claim = { .digest = digest_of(operation, settings) };
    if (claim.digest == NULL || proposed == NULL || (settings == NULL && operation->settings != NULL)) {
        claim_clear(&claim);
        return lane_fail(run, OUTCOME_RETRY, "out of memory");
    }
    const char *sent = operation->kind == OPERATION_CREATE ? settings : NULL;
    const struct claim wanted = { job->target, job->kind, job->id, operation_kind_name(operation->kind), claim.digest, proposed, sent };
    struct claim_found found = { 0 };
    bool ok = store_claim(job->store, &wanted, &found, &error) == 0 || lane_fail_error(run, &error);
    ok = ok && may_be_sent(run, &found) && take_found(run, &found, &claim);
    claim_found_clear(&found);
    if (ok)
        *ret_claim = claim;
    else
        claim_clear(&claim);
    return ok;
}

/* Whom the settings of then find is ours, unless somebody else's. */
static bool look_as_sent(struct lane_run *run, const json_t *settings, bool *ret_found)
{
    static const char *const no_names[] = { NULL };
    const struct lane_job *job = run->job;
    const struct account_query query = { .group = job->kind == IDENTITY_GROUP, .names = no_names, .settings = settings };
    cleanup_free char *owner = NULL;
    struct account account = { 0 };
    struct receipt receipt = { 0 };

    enum outcome outcome = job->ops->read(job->session, &query, &account, &receipt);
    bool ok = outcome == OUTCOME_APPLIED || outcome == OUTCOME_GONE || lane_fail_receipt(run, &receipt);
    *ret_found = outcome == OUTCOME_APPLIED && store_find_owner(job->store, job->target, job->kind, account.key, &owner, NULL) < 0;
    if (*ret_found)
        ok = lane_set_link(run, account.key, account.locator, NULL, false, (struct wall){ 0 }) && lane_store_link(run);
    account_clear(&account);
    receipt_clear(&receipt);
    return ok;
}

bool claim_look(struct lane_run *run, bool *ret_found, bool *ret_may_appear)
{
    const struct lane_job *job = run->job;
    cleanup_free char *sent = NULL;
    struct error error = { 0 };

    *ret_found = *ret_may_appear = false;
    if ((job->ops->capabilities & CONNECTOR_IDEMPOTENCY) == 0)
        return true;
    if (store_read_claims(job->store, job->target, job->kind, job->id, operation_kind_name(OPERATION_CREATE), &sent, &error) < 0)
        return lane_fail_error(run, &error);
    if (sent == NULL)
        return true;
    run->result->leaving = job->kind == IDENTITY_USER ? LEAVING_YES : LEAVING_UNKNOWN;
    json_t *attempts = json_loads(sent, 0, NULL);
    bool ok = attempts != NULL || lane_fail(run, OUTCOME_RETRY, "out of memory");
    for (size_t i = 0; ok && !*ret_found && i < json_array_size(attempts); i++)
        ok = look_as_sent(run, json_array_get(attempts, i), ret_found);
    json_decref(attempts);
    *ret_may_appear = job->attempt <= 1;
    return ok;
}
