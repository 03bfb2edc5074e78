#include "connectors/ldap/shared.h"

#include <ldap.h>
#include <pthread.h>

#include "base/clock.h"
#include "connectors/ldap/settings.h"

#define SECOND INT64_C(1000000)

#define PAUSE_LEAST (5 * SECOND) /* of an address that refuses changes, doubled each time */
#define PAUSE_MOST (60 * SECOND)
#define LOGIN_PAUSE_LEAST (300 * SECOND) /* of an address that refuses the log-in: each try counts towards a lock */
#define LOGIN_PAUSE_MOST (3600 * SECOND)
#define LOGIN_QUIET (3 * SECOND) /* new sessions that are opened so soon after a refused log-in are part of the same rush */
#define LOOK_EVERY (3 * SECOND)
#define LOOK_SHARE 20 /* a look may take a twentieth of one session's time */
#define SLOW_PAUSE (60 * SECOND)

struct address {
    char *uri;
    enum passed passed;
    int64_t until_us; /* passed over until then; 0: tried */
    int64_t pause_us; /* how long the last time */
    int code;
    char *words;
    char *base;
};

struct connector_shared {
    pthread_mutex_t lock;   /* all below, but for count and the URIs */
    pthread_cond_t settled; /* nobody connects */
    bool connecting;
    unsigned attempt;        /* the newest that was begun */
    unsigned failed_attempt; /* and the newest that failed, of which is */
    struct receipt failure;
    bool login_refused;
    int64_t login_at_us;
    struct receipt login; /* what was said to it */
    size_t best;          /* the address of the newest connection */
    int64_t look_at_us;
    json_t *slow; /* DN → until when it is left out */
    size_t count;
    struct address addresses[];
};

static int64_t now_us(void)
{
    return clock_mono(clock_system()).us;
}

/* ---- made and freed ---- */

static int count_uri(void *arg, const char *uri)
{
    size_t *count = arg;

    (void)uri;
    (*count)++;
    return 0;
}

static int take_uri(void *arg, const char *uri)
{
    struct connector_shared *shared = arg;
    char *copy = str_dup(uri);

    if (copy == NULL)
        return ERROR_NOMEM;
    shared->addresses[shared->count++].uri = copy;
    return 0;
}

/* libldap makes itself ready in its first call, and not for two threads at once; here no session of this target is open yet. */
static void make_library_ready(void)
{
    int version;

    ldap_get_option(NULL, LDAP_OPT_PROTOCOL_VERSION, &version);
}

int shared_new(const void *settings, struct connector_shared **ret_shared, struct error *error)
{
    size_t count = 0;

    make_library_ready();
    int code = ldap_settings_each_uri(settings, count_uri, &count);
    struct connector_shared *shared = code < 0 ? NULL : calloc(1, sizeof(*shared) + count * sizeof(shared->addresses[0]));

    if (shared == NULL)
        return error_nomem(error);
    pthread_mutex_init(&shared->lock, NULL);
    pthread_cond_init(&shared->settled, NULL);
    shared->slow = json_object();
    if (shared->slow == NULL || ldap_settings_each_uri(settings, take_uri, shared) < 0) {
        shared_free(shared);
        return error_nomem(error);
    }
    *ret_shared = shared;
    return 0;
}

static void forget_passing(struct address *address)
{
    free(address->words);
    free(address->base);
    *address = (struct address){ .uri = address->uri };
}

void shared_free(struct connector_shared *shared)
{
    if (shared == NULL)
        return;
    for (size_t i = 0; i < shared->count; i++) {
        forget_passing(&shared->addresses[i]);
        free(shared->addresses[i].uri);
    }
    json_decref(shared->slow);
    receipt_clear(&shared->failure);
    receipt_clear(&shared->login);
    pthread_cond_destroy(&shared->settled);
    pthread_mutex_destroy(&shared->lock);
    free(shared);
}

size_t shared_count(const struct connector_shared *shared)
{
    return shared->count;
}

const char *shared_uri(const struct connector_shared *shared, size_t address)
{
    return shared->addresses[address].uri;
}

/* ---- connecting, one session at a time ---- */

static void keep_receipt(struct receipt *kept, const struct receipt *receipt)
{
    receipt_set(kept, receipt->outcome, receipt->remote_code, "%s", receipt->reason != NULL ? receipt->reason : "out of memory");
    kept->refusal = receipt->refusal;
}

/* Is the log-in known to be refused? A new session asks again, but not in the rush of the refusal itself. */
static bool may_not_log_in(const struct connector_shared *shared, enum errand errand)
{
    return shared->login_refused && (errand != ERRAND_OPEN || now_us() - shared->login_at_us < LOGIN_QUIET);
}

static bool has_failed_since(const struct connector_shared *shared, unsigned attempt)
{
    return (int)(shared->failed_attempt - attempt) >= 0;
}

/* Waits until nobody connects; false when the attempt that was waited for failed, or one after it. */
static bool await_turn(struct connector_shared *shared)
{
    unsigned running = shared->attempt;

    if (!shared->connecting)
        return true;
    while (shared->connecting && !has_failed_since(shared, running))
        pthread_cond_wait(&shared->settled, &shared->lock);
    return !has_failed_since(shared, running);
}

static void forget_login_passings(struct connector_shared *shared)
{
    for (size_t i = 0; i < shared->count; i++)
        if (shared->addresses[i].passed == PASSED_LOGIN)
            shared->addresses[i].until_us = 0;
}

static bool enter(struct connector_shared *shared, enum errand errand, struct receipt *receipt)
{
    if (errand == ERRAND_LOOK && (shared->connecting || shared->login_refused))
        return false;
    if (!await_turn(shared)) {
        keep_receipt(receipt, &shared->failure);
        return false;
    }
    if (may_not_log_in(shared, errand)) {
        keep_receipt(receipt, &shared->login);
        return false;
    }
    if (shared->login_refused)
        forget_login_passings(shared); /* no other address took us either */
    shared->connecting = true;
    shared->attempt++;
    return true;
}

bool shared_enter(struct connector_shared *shared, enum errand errand, struct receipt *receipt)
{
    pthread_mutex_lock(&shared->lock);
    bool may = enter(shared, errand, receipt);
    pthread_mutex_unlock(&shared->lock);
    return may;
}

static void note_failure(struct connector_shared *shared, const struct receipt *failure)
{
    keep_receipt(&shared->failure, failure);
    shared->failed_attempt = shared->attempt;
    if (failure->refusal != REFUSAL_LOGIN)
        return;
    keep_receipt(&shared->login, failure);
    shared->login_refused = true;
    shared->login_at_us = now_us();
}

static void note_connected(struct connector_shared *shared, size_t address)
{
    shared->login_refused = false;
    if (shared->addresses[address].passed == PASSED_LOGIN)
        forget_passing(&shared->addresses[address]);
    if (address > 0)
        shared->look_at_us = now_us() + LOOK_EVERY; /* the earlier ones have just been tried */
    shared->best = address;
}

void shared_leave(struct connector_shared *shared, const struct receipt *failure, size_t address)
{
    pthread_mutex_lock(&shared->lock);
    if (failure != NULL)
        note_failure(shared, failure);
    else
        note_connected(shared, address);
    shared->connecting = false;
    pthread_cond_broadcast(&shared->settled);
    pthread_mutex_unlock(&shared->lock);
}

void shared_leave_look(struct connector_shared *shared, int64_t took_us)
{
    pthread_mutex_lock(&shared->lock);
    shared->look_at_us = now_us() + (took_us * LOOK_SHARE > LOOK_EVERY ? took_us * LOOK_SHARE : LOOK_EVERY);
    shared->connecting = false;
    pthread_cond_broadcast(&shared->settled);
    pthread_mutex_unlock(&shared->lock);
}

/* ---- addresses that are passed over ---- */

static bool is_passed(const struct address *address)
{
    return address->until_us > now_us();
}

bool shared_allows(struct connector_shared *shared, size_t index, struct buf *words, int *code)
{
    struct address *address = &shared->addresses[index];

    pthread_mutex_lock(&shared->lock);
    bool allowed = !is_passed(address);
    if (!allowed) {
        long long left_s = (address->until_us - now_us() + SECOND - 1) / SECOND;
        const char *what = address->passed == PASSED_CHANGES ? "other servers are preferred" : "passed over";
        buf_printf(words, "%s%s (%s for another %lld s)", words->length != 0 ? "; " : "", address->words, what, left_s);
        *code = address->code;
    }
    pthread_mutex_unlock(&shared->lock);
    return allowed;
}

static int64_t next_pause_us(const struct address *address, enum passed passed)
{
    int64_t least = passed == PASSED_LOGIN ? LOGIN_PAUSE_LEAST : PAUSE_LEAST;
    int64_t most = passed == PASSED_LOGIN ? LOGIN_PAUSE_MOST : PAUSE_MOST;
    int64_t next = address->passed == passed && address->pause_us != 0 ? 2 * address->pause_us : least;

    return next < most ? next : most;
}

/* Where another session was refused a moment ago the pause runs already. */
static void pass_over(struct address *address, const struct passing *passing)
{
    char *words = str_dup(passing->words), *base = str_dup(passing->base);
    bool runs = is_passed(address) && address->passed == passing->passed;
    int64_t pause_us = runs ? address->pause_us : next_pause_us(address, passing->passed);
    int64_t until_us = runs ? address->until_us : now_us() + pause_us;

    forget_passing(address);
    *address = (struct address){ address->uri, passing->passed, until_us, pause_us, passing->code, words, base };
    if (words == NULL) /* out of memory */
        address->until_us = 0;
}

void shared_pass_over(struct connector_shared *shared, size_t address, const struct passing *passing)
{
    pthread_mutex_lock(&shared->lock);
    pass_over(&shared->addresses[address], passing);
    pthread_mutex_unlock(&shared->lock);
}

bool shared_refuses_changes(struct connector_shared *shared)
{
    bool refuses = false;

    pthread_mutex_lock(&shared->lock);
    for (size_t i = 0; i < shared->count; i++)
        refuses = refuses || (shared->addresses[i].passed == PASSED_CHANGES && is_passed(&shared->addresses[i]));
    pthread_mutex_unlock(&shared->lock);
    return refuses;
}

bool shared_try_again(struct connector_shared *shared, size_t index)
{
    struct address *address = &shared->addresses[index];

    pthread_mutex_lock(&shared->lock);
    bool again = address->passed == PASSED_CHANGES && is_passed(address);
    if (again)
        address->until_us = 0;
    pthread_mutex_unlock(&shared->lock);
    return again;
}

char *shared_missing_base(struct connector_shared *shared, size_t address)
{
    pthread_mutex_lock(&shared->lock);
    char *base = str_dup(shared->addresses[address].base);
    pthread_mutex_unlock(&shared->lock);
    return base;
}

void shared_accepted(struct connector_shared *shared, size_t address)
{
    pthread_mutex_lock(&shared->lock);
    if (shared->addresses[address].passed == PASSED_CHANGES && !is_passed(&shared->addresses[address]))
        forget_passing(&shared->addresses[address]);
    pthread_mutex_unlock(&shared->lock);
}

/* ---- where a session should be ---- */

static bool has_earlier(const struct connector_shared *shared, size_t address)
{
    for (size_t i = 0; i < address; i++)
        if (!is_passed(&shared->addresses[i]))
            return true;
    return false;
}

static enum standing stands(const struct connector_shared *shared, size_t address)
{
    const struct address *own = &shared->addresses[address];

    if (own->passed == PASSED_CHANGES && is_passed(own))
        return STANDING_LEAVE;
    if (address == 0 || !has_earlier(shared, address))
        return STANDING_STAY;
    if (shared->best < address && !is_passed(&shared->addresses[shared->best]))
        return STANDING_LEAVE;
    return now_us() >= shared->look_at_us ? STANDING_LOOK : STANDING_STAY;
}

enum standing shared_standing(struct connector_shared *shared, size_t address)
{
    pthread_mutex_lock(&shared->lock);
    enum standing standing = stands(shared, address);
    pthread_mutex_unlock(&shared->lock);
    return standing;
}

/* ---- parts of the tree that do not answer ---- */

bool shared_is_slow(struct connector_shared *shared, const char *dn)
{
    pthread_mutex_lock(&shared->lock);
    bool slow = json_integer_value(json_object_get(shared->slow, dn)) > now_us();
    pthread_mutex_unlock(&shared->lock);
    return slow;
}

void shared_note_slow(struct connector_shared *shared, const char *dn)
{
    pthread_mutex_lock(&shared->lock);
    json_object_set_new(shared->slow, dn, json_integer(now_us() + SLOW_PAUSE)); /* without memory it is asked again */
    pthread_mutex_unlock(&shared->lock);
}
