#include "deliver/groups.h"

#include "base/str.h"
#include "deliver/members.h"

/* ---- whose value ---- */

static bool has_groups(const struct lane_run *run)
{
    const struct lane_job *job = run->job;

    return job->kind == IDENTITY_USER && job->group_mapping != NULL && job->ops->read_groups != NULL &&
           mapping_member_attribute(job->group_mapping) != NULL;
}

bool groups_value_of(struct lane_run *run, const char *locator, const json_t *values, struct link *link)
{
    const struct mapping *mapping = run->job->group_mapping;
    struct error error = { 0 };

    if (!has_groups(run) || locator == NULL)
        return true;
    if (plan_member_value(mapping, locator, values, &link->member, &error) < 0 ||
        (link->member != NULL && plan_member_key(mapping, link->member, &link->member_key, &error) < 0))
        return lane_fail_error(run, &error);
    return true;
}

bool groups_wait_for_link(const struct lane_run *run)
{
    return has_groups(run) && run->link_dirty && lane_is_linked(run) && (run->identity.group_count > 0 || run->groups.count > 0);
}

/* The account is not there any more, or is about to go; one that could not be removed and is disabled instead loses its groups, too. */
static bool goes(const struct lane_run *run)
{
    bool left_alone = run->found && run->plan.operation_count == 0 && lane_is_linked(run);

    return run->keep || (run->planned ? !run->plan.present && !left_alone : run->linked && run->link.gone);
}

/* ---- what the store says ---- */

static void value_clear(struct group_value *value)
{
    free(value->group);
    free(value->key);
    free(value->value);
    free(value->entry_key);
    free(value->entry_locator);
}

void groups_clear(struct lane_run *run)
{
    for (size_t i = 0; i < run->groups.count; i++)
        value_clear(&run->groups.values[i]);
    free(run->groups.values);
    free(run->groups.looked_for);
    free(run->groups.key);
    free(run->groups.carried);
    run->groups = (struct group_look){ 0 };
}

static struct group_value *add_value(struct lane_run *run)
{
    struct group_value *values = realloc(run->groups.values, (run->groups.count + 1) * sizeof(*values));

    if (values == NULL)
        return NULL;
    run->groups.values = values;
    values[run->groups.count] = (struct group_value){ 0 };
    return &values[run->groups.count++];
}

static int take_row(void *arg, const struct member_row *row)
{
    struct group_value *value = add_value(arg);

    if (value == NULL)
        return ERROR_NOMEM;
    *value = (struct group_value){
        .group = str_dup(row->group), .key = str_dup(row->key), .value = str_dup(row->value), .state = row->state, .member = row->member,
        .shared = row->shared, .dead = row->dead, .entry_key = str_dup(row->entry_key), .entry_locator = str_dup(row->entry_locator),
    };
    bool whole = value->group != NULL && (row->key == NULL || (value->key != NULL && value->value != NULL)) &&
                 (row->entry_key == NULL || value->entry_key != NULL) && (row->entry_locator == NULL || value->entry_locator != NULL);
    return whole ? 0 : ERROR_NOMEM;
}

/* Has anybody a row for the value in this entry? */
static bool has_row(struct lane_run *run, const char *key, const char *locator, const char *value_key, bool *ret_has)
{
    const struct lane_job *job = run->job;
    cleanup_free char *place = locator != NULL ? plan_place_key(job->group_mapping, locator) : NULL;
    struct error error = { 0 };

    return store_has_member_row(job->store, job->target, key, place, value_key, ret_has, &error) == 0 || lane_fail_error(run, &error);
}

/* The store that brought an older one up to date has made the key by itself, which does not fit each spelling. */
static bool mend_key(struct lane_run *run, struct group_value *value, bool note)
{
    cleanup_free char *key = NULL;
    struct error error = { 0 };
    bool shared = false;

    if (value->key == NULL)
        return true;
    if (plan_member_key(run->job->group_mapping, value->value, &key, &error) < 0)
        return lane_fail_error(run, &error);
    if (strcmp(key, value->key) == 0)
        return true;
    if (!has_row(run, value->entry_key, value->entry_locator, key, &shared))
        return false;
    if (note) {
        lane_note_member(run, value->group, value->key, value->value, MEMBER_NONE);
        lane_note_member(run, value->group, key, value->value, value->state);
    }
    value->shared = value->shared || shared;
    free(value->key);
    value->key = take_pointer(key);
    return true;
}

/* Rows come with a link, and with the groups of the facts. */
static bool may_have_rows(const struct lane_run *run)
{
    return run->linked || run->identity.group_count > 0;
}

/* `value_key`: of the value that the person has, or had when the link was stored. */
static bool read_rows(struct lane_run *run, const char *value_key, bool note)
{
    const struct lane_job *job = run->job;
    struct error error = { 0 };
    bool good = !may_have_rows(run) ||
                store_read_member_rows(job->store, job->target, job->id, value_key, take_row, run, &error) == 0 ||
                lane_fail_error(run, &error);

    for (size_t i = 0; good && i < run->groups.count; i++)
        good = mend_key(run, &run->groups.values[i], note);
    run->groups.known = good;
    return good;
}

/* ---- what the target says ---- */

static bool has_entry(const struct group_value *value)
{
    return value->entry_key != NULL || value->entry_locator != NULL;
}

static bool is_entry(const struct group_value *value, const char *key, const char *locator)
{
    if (value->entry_key != NULL && key != NULL)
        return strcmp(value->entry_key, key) == 0;
    return value->entry_locator != NULL && str_equal(value->entry_locator, locator);
}

/* The value in an entry that no fact names: somebody else's, unless there is a row of anybody. */
static bool note_stranger(struct lane_run *run, const char *key, const char *locator, const char *value_key)
{
    bool ours = false;

    if (!has_row(run, key, locator, value_key, &ours))
        return false;
    if (ours)
        return true;
    struct group_value *value = add_value(run);
    if (value == NULL)
        return lane_fail_nomem(run);
    *value = (struct group_value){ .key = str_dup(value_key), .value = str_dup(run->groups.looked_for), .entry_key = str_dup(key),
                                   .entry_locator = str_dup(locator), .seen = true, .by_hand = true };
    return true;
}

/* Where the value was seen is where the group is now. */
static bool note_hit(struct lane_run *run, const json_t *hit, const char *value_key)
{
    const char *key = json_string_value(json_object_get(hit, "key")), *locator = json_string_value(json_object_get(hit, "locator"));
    bool known = false;

    for (size_t i = 0; i < run->groups.count; i++) {
        struct group_value *value = &run->groups.values[i];
        if (!is_entry(value, key, locator))
            continue;
        known = true;
        value->seen = value->seen || value->key == NULL || str_equal(value->key, value_key);
        free(value->entry_locator);
        value->entry_locator = str_dup(locator);
    }
    return known || note_stranger(run, key, locator, value_key);
}

static bool ask(struct lane_run *run, json_t **ret_hits)
{
    const struct lane_job *job = run->job;
    const struct settings_view view = { .call = "groups_of", .value = run->groups.looked_for };
    struct receipt receipt = { 0 };
    struct error error = { 0 };
    json_t *settings = NULL;

    if (plan_settings(job->group_mapping, &view, &settings, &error) < 0)
        return lane_fail_error(run, &error);
    const struct group_query query = { mapping_member_attribute(job->group_mapping), run->groups.looked_for,
                                       mapping_base(job->group_mapping), settings };
    enum outcome outcome = job->ops->read_groups(job->session, &query, ret_hits, &receipt);
    json_decref(settings);
    bool good = is_fine(outcome) || lane_fail_receipt(run, &receipt);
    run->groups.whole = good && !receipt.partial;
    if (receipt.note != NULL) {
        free(run->result->note);
        run->result->note = take_pointer(receipt.note);
    }
    receipt_clear(&receipt);
    return good;
}

static void drop_strangers(struct lane_run *run, bool but_seen)
{
    size_t kept = 0;

    for (size_t i = 0; i < run->groups.count; i++) {
        if (!run->groups.values[i].by_hand || (but_seen && run->groups.values[i].seen))
            run->groups.values[kept++] = run->groups.values[i];
        else
            value_clear(&run->groups.values[i]);
    }
    run->groups.count = kept;
}

static bool has_strangers(const struct lane_run *run)
{
    bool any = false;

    for (size_t i = 0; i < run->groups.count; i++)
        any = any || run->groups.values[i].by_hand;
    return any;
}

/* Somebody else may have the place that was ours until an answer was lost, or until the account went: then values without a row cannot
 * be told to be ours. */
static bool forget_strangers(struct lane_run *run)
{
    cleanup_free char *key = NULL;
    bool moved = run->linked && (!run->found || (!run->link.gone && !str_equal(run->link.locator, run->account.locator)));

    if (!moved || run->job->ops->assigns_locator || !has_strangers(run))
        return true;
    if (!lane_key_at(run, run->job->kind, run->link.locator, &key))
        return false;
    if (key != NULL)
        drop_strangers(run, false);
    return true;
}

static bool see_stranger(struct lane_run *run, struct group_value *value, const json_t *hits)
{
    bool ours = false;

    value->seen = false;
    for (size_t i = 0; i < json_array_size(hits) && !value->seen; i++) {
        const json_t *hit = json_array_get(hits, i);
        value->seen = is_entry(value, json_string_value(json_object_get(hit, "key")), json_string_value(json_object_get(hit, "locator")));
    }
    if (value->seen && !has_row(run, value->entry_key, value->entry_locator, value->key, &ours))
        return false;
    value->seen = value->seen && !ours;
    return true;
}

static bool is_moving(const struct lane_run *run)
{
    return run->planned && run->plan.present && run->found && !str_equal(run->plan.wanted.locator, run->account.locator);
}

/* Look twice: between the search and the store's answer another lane may have removed both the value and its row. */
static bool confirm_strangers(struct lane_run *run)
{
    json_t *hits = NULL;

    if (!has_strangers(run) || !is_moving(run))
        return true;
    bool good = ask(run, &hits);
    for (size_t i = 0; good && i < run->groups.count; i++)
        good = !run->groups.values[i].by_hand || see_stranger(run, &run->groups.values[i], hits);
    json_decref(hits);
    drop_strangers(run, good);
    return good;
}

static bool look_for(struct lane_run *run)
{
    json_t *hits = NULL;
    bool good = ask(run, &hits);

    for (size_t i = 0; good && i < json_array_size(hits); i++)
        good = note_hit(run, json_array_get(hits, i), run->groups.key);
    json_decref(hits);
    return good && forget_strangers(run) && confirm_strangers(run);
}

/* A link of an older store does not say the value, and its key may be the store's own. What was written then is made of the place and the
 * account of then, wherever it is now, and has rows before anything is sent. */
static bool complete_link(struct lane_run *run)
{
    struct link *link = &run->link;

    if (link->member == NULL && link->member_key != NULL) /* it has none (account.c) */
        return true;
    cleanup_free char *key = take_pointer(link->member_key);
    json_t *account = link->account != NULL && link->member == NULL ? json_loads(link->account, 0, NULL) : NULL;
    struct error error = { 0 };
    bool good = true;

    if (account != NULL)
        good = groups_value_of(run, link->locator, account, link);
    else if (link->member != NULL && plan_member_key(run->job->group_mapping, link->member, &link->member_key, &error) < 0)
        good = lane_fail_error(run, &error);
    json_decref(account);
    if (!good || link->gone || str_equal(key, link->member_key))
        return good;
    run->link_dirty = true;
    return lane_store_link(run);
}

/* What the link says is what was written; an account without a link has what it looks like. */
static bool value_to_look_for(struct lane_run *run, struct link *value)
{
    if (run->linked && !complete_link(run))
        return false;
    if (run->linked && run->link.member != NULL) {
        value->member = strdup(run->link.member);
        value->member_key = str_dup(run->link.member_key);
        return (value->member != NULL && value->member_key != NULL) || lane_fail_nomem(run);
    }
    bool active = run->found && (lane_is_linked(run) || run->plan.operation_count > 0);
    return !active || groups_value_of(run, run->account.locator, run->account.values, value);
}

/* Without facts about groups, and with nothing that changes places, nothing can be wrong. */
static bool worth_a_look(const struct lane_run *run, const struct link *value)
{
    return value->member != NULL && (run->identity.group_count > 0 || run->groups.count > 0 || goes(run) || is_moving(run));
}

enum step groups_look(struct lane_run *run)
{
    struct link value = { 0 };
    bool active = lane_is_linked(run) || (run->planned && (run->plan.present || run->plan.operation_count > 0));

    if (!has_groups(run) || !(active || run->linked))
        return STEP_NEXT;
    run->result->has_groups = true;
    bool good = value_to_look_for(run, &value) && read_rows(run, value.member_key, true);
    if (good && worth_a_look(run, &value)) {
        run->groups.looked_for = take_pointer(value.member);
        run->groups.key = take_pointer(value.member_key);
        good = look_for(run);
    }
    link_clear(&value);
    run->groups.failed = !good;
    return step_if(good);
}

/* ---- one change ---- */

/* A group that waits for its first member, or whose entry went, gets its lane to look again. */
static void touch_group(const struct lane_run *run, const struct group_value *value)
{
    if (value->group != NULL)
        store_touch(run->job->store, run->job->target, IDENTITY_GROUP, value->group);
}

/* What became of one value in one group. */
enum sent {
    SENT_DONE,
    SENT_LAST,  /* a group lives by this member, and its own lane has to end it */
    SENT_AGAIN, /* the entry is not where it was, or has changed */
    SENT_FAILED,
};

static enum sent judge_sent(struct lane_run *run, const struct operation *operation, const struct receipt *receipt)
{
    if (is_fine(receipt->outcome))
        return SENT_DONE;
    if (receipt->outcome == OUTCOME_GONE || receipt->outcome == OUTCOME_CONFLICT)
        return SENT_AGAIN;
    if (members_is_last(run, operation, receipt))
        return SENT_LAST;
    lane_fail_receipt(run, receipt);
    return SENT_FAILED;
}

/* Where a group has an id of its own, "not there" is said of the group or of the member, and the look has not found the value either. A
 * place may be another's, or the group's creation just under way. */
static bool is_absent(const struct lane_run *run, const struct group_value *value)
{
    bool looked = run->groups.whole && (value->key == NULL || str_equal(value->key, run->groups.key));

    return run->job->ops->assigns_locator && looked && !value->seen;
}

static enum sent send_member(struct lane_run *run, enum operation_kind kind, const struct group_value *value, const char *text)
{
    struct operation operation = { 0 };
    struct receipt receipt = { 0 };
    struct error error = { 0 };

    run->doing = operation_kind_name(kind);
    if (plan_member_operation(run->job->group_mapping, kind, value->entry_key, value->entry_locator, text, &operation, &error) < 0) {
        lane_fail_error(run, &error);
        return SENT_FAILED;
    }
    enum sent sent = lane_send(run, &operation, NULL, &receipt) ? judge_sent(run, &operation, &receipt) : SENT_FAILED;
    if (sent == SENT_AGAIN) /* it was renamed, or removed: its own lane finds out */
        touch_group(run, value);
    if (sent == SENT_AGAIN && kind == OPERATION_MEMBER_REMOVE && receipt.outcome == OUTCOME_GONE && is_absent(run, value))
        sent = SENT_DONE;
    operation_clear(&operation);
    receipt_clear(&receipt);
    return sent;
}

/* Once the whole run begins anew; after that this group alone waits, and keeps nobody in another. */
static bool look_anew(struct lane_run *run)
{
    bool anew = !run->regrouped;

    run->regrouped = true;
    return anew;
}

static void wait_for_group(struct lane_run *run, const struct group_value *value, enum sent sent)
{
    cleanup_free char *reason =
        str_printf(sent == SENT_LAST ? "cannot remove the last member of \"%s\": the group must not be empty; waiting for another member or for "
                                       "the group's removal"
                                     : "cannot change the members of \"%s\": it was removed, renamed or changed meanwhile; waiting for the "
                                       "group to be read anew",
                   value->entry_locator);

    touch_group(run, value);
    lane_fail(run, OUTCOME_RETRY, reason != NULL ? reason : "out of memory");
}

static enum step step_of(struct lane_run *run, const struct group_value *value, enum sent sent)
{
    if (sent == SENT_AGAIN && look_anew(run))
        return STEP_AGAIN;
    if (sent == SENT_AGAIN || sent == SENT_LAST)
        wait_for_group(run, value, sent);
    return step_if(sent == SENT_DONE);
}

/* Out of one group. Where somebody else has the same value only our row goes. A group without an entry may be about to get one, with
 * the value in it: the row stays, and the group's own lane makes this one look again. */
static enum step remove_value(struct lane_run *run, const struct group_value *value)
{
    enum sent sent = SENT_DONE;

    if (!has_entry(value))
        return STEP_NEXT;
    if (!value->shared)
        sent = send_member(run, OPERATION_MEMBER_REMOVE, value, value->value);
    enum step step = step_of(run, value, sent);
    if (step == STEP_AGAIN)
        return step;
    enum member_state state = sent != SENT_DONE ? MEMBER_LEAVING : value->shared ? MEMBER_HANDED : MEMBER_NONE;
    if (value->group != NULL)
        lane_note_member(run, value->group, value->key, value->value, state);
    return step;
}

/* Takes a step for each value; what fails does not stop the others. */
static enum step for_each(struct lane_run *run, enum step (*take)(struct lane_run *run, struct group_value *value))
{
    enum step worst = STEP_NEXT;

    for (size_t i = 0; i < run->groups.count && !run->down; i++) {
        enum step step = take(run, &run->groups.values[i]);
        if (step == STEP_AGAIN)
            return step;
        worst = step == STEP_FAILED ? step : worst;
    }
    return worst;
}

/* ---- the steps ---- */

/* A fact without a row: the value may have been there before us. Where the look could not see, the removal is sent all the same; one
 * that cannot be made becomes a row. */
static enum step part_by_fact(struct lane_run *run, const struct group_value *value)
{
    bool looked = run->groups.looked_for != NULL, may_hold = value->seen || !run->groups.whole;
    struct group_value written = *value; /* borrows */

    written.value = looked ? run->groups.looked_for : run->link.member;
    written.key = looked ? run->groups.key : run->link.member_key;
    return has_entry(value) && written.value != NULL && may_hold ? remove_value(run, &written) : STEP_NEXT;
}

static enum step part_from(struct lane_run *run, struct group_value *value)
{
    bool leaves = goes(run) || (!value->member && !value->by_hand);

    if (!leaves)
        return STEP_NEXT;
    return value->key != NULL ? remove_value(run, value) : part_by_fact(run, value);
}

enum step groups_part(struct lane_run *run)
{
    enum step step = for_each(run, part_from);
    bool known = run->groups.known || !run->result->has_groups;

    run->parted = step == STEP_NEXT && known && !run->down;
    return step;
}

/* The value of before a rename: whoever gets the name next would have what the group gives. */
static bool is_former(const struct lane_run *run, const struct group_value *value)
{
    bool known = run->link.member_key != NULL || run->written;

    return known && value->key != NULL && !value->by_hand && value->member && !str_equal(value->key, run->link.member_key);
}

bool groups_are_left(const struct lane_run *run)
{
    bool any = false;

    for (size_t i = 0; i < run->groups.count; i++) {
        const struct group_value *value = &run->groups.values[i];
        bool there = (value->key != NULL || value->seen) && !value->by_hand; /* without a row it is the fact that makes it ours */
        bool forbidden = !run->parted && (goes(run) || !value->member);
        any = any || (there && (forbidden || (!run->followed && is_former(run, value))));
    }
    return any;
}

/* ---- values that somebody else wrote ---- */

static enum step carry_over(struct lane_run *run, struct group_value *value)
{
    if (!value->by_hand)
        return STEP_NEXT;
    enum step step = step_of(run, value, send_member(run, OPERATION_MEMBER_ADD, value, run->groups.carried));
    return step == STEP_NEXT ? remove_value(run, value) : step;
}

enum step groups_carry(struct lane_run *run)
{
    struct link now = { 0 };
    bool stays = has_groups(run) && run->planned && !run->blocked && !goes(run) && (run->written || run->found);

    if (!stays || run->groups.looked_for == NULL)
        return STEP_NEXT;
    bool good = run->written ? groups_value_of(run, run->plan.wanted.locator, run->plan.wanted.values, &now)
                             : groups_value_of(run, run->account.locator, run->account.values, &now);
    free(run->groups.carried);
    run->groups.carried = take_pointer(now.member);
    link_clear(&now);
    bool moved = run->groups.carried != NULL && !str_equal(run->groups.carried, run->groups.looked_for);
    return !good ? STEP_FAILED : moved ? for_each(run, carry_over) : STEP_NEXT;
}

/* ---- joining ---- */

static bool needs_adding(const struct lane_run *run, const struct group_value *value)
{
    bool looked = run->groups.whole && str_equal(run->groups.looked_for, run->link.member);

    return !value->seen && (value->state != MEMBER_THERE || looked);
}

/* Nobody knows what the entry is by now. The row stays, and the group's lane makes this one look again once it is well. */
static void tell_dead(struct lane_run *run, const struct group_value *value)
{
    cleanup_free char *note = str_printf("not added to \"%s\": the group's own work is a dead letter", value->entry_locator);

    if (note != NULL)
        lane_add_note(run, note);
}

static enum step join(struct lane_run *run, struct group_value *value)
{
    if (value->dead && needs_adding(run, value)) {
        tell_dead(run, value);
        return STEP_NEXT;
    }
    enum sent sent = needs_adding(run, value) ? send_member(run, OPERATION_MEMBER_ADD, value, run->link.member) : SENT_DONE;

    if (sent == SENT_DONE && value->state != MEMBER_THERE)
        lane_note_member(run, value->group, value->key, run->link.member, MEMBER_THERE);
    value->joined = sent == SENT_DONE;
    return step_of(run, value, sent);
}

static enum step join_one(struct lane_run *run, struct group_value *value)
{
    if (value->by_hand || !value->member)
        return STEP_NEXT;
    if (!has_entry(value) && mapping_with_first_member(run->job->group_mapping))
        touch_group(run, value); /* though there is a row: a receipt may have come after the group's end */
    return has_entry(value) && value->key != NULL && str_equal(value->key, run->link.member_key) ? join(run, value) : STEP_NEXT;
}

static void keep_seen(struct group_value *value, const struct group_look *before)
{
    for (size_t i = 0; i < before->count; i++) {
        const struct group_value *old = &before->values[i];
        if (!old->seen || old->group == NULL || !str_equal(old->group, value->group))
            continue;
        value->seen = value->seen || str_equal(old->key != NULL ? old->key : before->key, value->key);
        free(value->entry_locator);
        value->entry_locator = str_dup(old->entry_locator);
    }
}

/* The link that was just stored has brought rows. */
static bool read_rows_again(struct lane_run *run)
{
    struct group_look before = run->groups;

    run->groups = before;
    run->groups.values = NULL;
    run->groups.count = 0;
    bool good = read_rows(run, run->link.member_key, false);
    for (size_t i = 0; i < run->groups.count; i++)
        keep_seen(&run->groups.values[i], &before);
    for (size_t i = 0; i < before.count; i++) {
        struct group_value *by_hand = before.values[i].by_hand ? add_value(run) : NULL;
        if (by_hand != NULL)
            *by_hand = before.values[i];
        else
            value_clear(&before.values[i]);
    }
    free(before.values);
    return good;
}

static bool may_join(const struct lane_run *run)
{
    return has_groups(run) && !goes(run) && lane_is_linked(run) && run->link.member != NULL;
}

enum step groups_join(struct lane_run *run)
{
    if (!may_join(run))
        return STEP_NEXT;
    bool stale = run->link_stored || !run->groups.known;
    return stale && !read_rows_again(run) ? STEP_FAILED : for_each(run, join_one);
}

/* The new value could not be added to the same group. */
static bool has_not_joined(const struct lane_run *run, const struct group_value *former)
{
    for (size_t i = 0; i < run->groups.count; i++) {
        const struct group_value *value = &run->groups.values[i];
        if (!value->joined && value->key != NULL && str_equal(value->group, former->group) && str_equal(value->key, run->link.member_key))
            return true;
    }
    return false;
}

static enum step leave_former(struct lane_run *run, struct group_value *value)
{
    if (!is_former(run, value))
        return STEP_NEXT;
    return has_not_joined(run, value) && !value->dead ? STEP_FAILED : remove_value(run, value);
}

enum step groups_leave_former(struct lane_run *run)
{
    bool has_none = has_groups(run) && run->written && !goes(run) && lane_is_linked(run) && run->link.member == NULL;
    enum step step = has_none || may_join(run) ? for_each(run, leave_former) : STEP_NEXT;

    run->followed = step == STEP_NEXT && !run->down;
    return step;
}
