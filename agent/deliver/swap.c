#include "deliver/swap.h"

#include "base/str.h"
#include "plan/dn.h"

#define RING_MOST 16

/* One who stands in the way of another. */
struct holder {
    char *id;
    char *wants; /* a place; NULL: stays, goes for good, or nobody knows */
};

static void holder_clear(struct holder *holder)
{
    free(holder->id);
    free(holder->wants);
    *holder = (struct holder){ 0 };
}

static bool read_at(struct lane_run *run, const char *place, struct account *ret_account)
{
    static const char *const no_names[] = { NULL };
    struct account_query query = { .group = run->job->kind == IDENTITY_GROUP, .locator = place, .names = no_names };
    struct receipt receipt = { 0 };

    enum outcome outcome = run->job->ops->read(run->job->session, &query, ret_account, &receipt);
    receipt_clear(&receipt);
    return outcome == OUTCOME_APPLIED && ret_account->key != NULL;
}

/* Where the owner's facts say that the account shall be. */
static void read_wish(struct lane_run *run, const struct account *account, struct holder *holder)
{
    const struct lane_job *job = run->job;
    struct identity identity = { 0 };
    struct link link = { 0 };

    if (store_read_identity(job->store, job->kind, holder->id, &identity, NULL) == 0 &&
        store_read_link(job->store, job->target, job->kind, holder->id, &link, NULL) == 0) {
        const struct link_view view = lane_link_view(&link);
        const struct plan_input input = { .identity = &identity, .link = &view, .account = account, .now = store_removal_time(job->store) };
        plan_place(run->mapping, &input, &holder->wants, NULL);
    }
    identity_clear(&identity);
    link_clear(&link);
}

static struct holder holder_at(struct lane_run *run, const char *place)
{
    struct account account = { 0 };
    struct holder holder = { 0 };

    if (read_at(run, place, &account) &&
        store_find_owner(run->job->store, run->job->target, run->job->kind, account.key, &holder.id, NULL) == 0)
        read_wish(run, &account, &holder);
    account_clear(&account);
    return holder;
}

/* Does the way lead from `to` back to `from`, and is ours the first id of all
 * on it? *ret_next: who waits for our place. */
static bool is_first_of_ring(struct lane_run *run, const char *from, const char *to, char **ret_next)
{
    cleanup_free char *place = strdup(to);
    bool closed = false, first = true;

    for (int i = 0; i < RING_MOST && place != NULL && first && !closed; i++) {
        struct holder holder = holder_at(run, place);
        free(place);
        place = take_pointer(holder.wants);
        first = place != NULL && strcmp(run->job->id, holder.id) < 0;
        closed = first && dn_same(place, from);
        if (closed)
            *ret_next = take_pointer(holder.id);
        holder_clear(&holder);
    }
    return closed;
}

static bool move_aside(struct lane_run *run, const struct operation *operation, const char *aside)
{
    const struct operation move = {
        .kind = OPERATION_RENAME, .group = operation->group, .key = operation->key, .locator = operation->locator,
        .new_locator = (char *)aside,
    };

    return lane_apply(run, &move, NULL) == STEP_NEXT;
}

bool swap_step_aside(struct lane_run *run, const struct operation *operation)
{
    cleanup_free char *aside = NULL, *next = NULL;

    if (run->refused != OUTCOME_RETRY || operation->new_locator == NULL || run->job->ops->assigns_locator ||
        plan_aside(run->mapping, operation->new_locator, run->job->id, &aside, NULL) < 0 || aside == NULL ||
        !is_first_of_ring(run, operation->locator, operation->new_locator, &next) || !move_aside(run, operation, aside))
        return false;
    store_touch(run->job->store, run->job->target, run->job->kind, next);
    return true;
}
