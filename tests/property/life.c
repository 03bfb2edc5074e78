#include "tests/property/life.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

/* ---- chance ---- */

static struct random_seeded chance;

static int below(int limit)
{
    return (int)random_below(&chance.source, (uint64_t)limit);
}

static bool happens(int percent)
{
    return below(100) < percent;
}

/* ---- what may happen ---- */

enum user_state { NOBODY, STAGED, ACTIVE, SUSPENDED_NOW, OUT, GONE };
enum group_state { NO_GROUP, THERE, NO_MORE };

static struct company {
    struct life *life;
    int minute;
    int names;
    struct {
        enum user_state state;
        char login[WORD_BYTES], name[WORD_BYTES];
        bool member[GROUPS_MOST];
    } users[USERS_MOST];
    struct {
        enum group_state state;
        char name[WORD_BYTES];
    } groups[GROUPS_MOST];
} now;

/* Few, so that names are handed on and go round in circles. */
static const char *const logins[] = { "ann", "bob", "cat", "dan", "eve", "fay", "gus" };
static const char *const group_names[] = { "staff", "crew", "team", "board", "guests" };
#define LOGIN_COUNT ((int)(sizeof(logins) / sizeof(logins[0])))
#define GROUP_NAME_COUNT ((int)(sizeof(group_names) / sizeof(group_names[0])))

static bool login_is_taken(const char *login)
{
    for (int i = 0; i < USERS_MOST; i++)
        if (now.users[i].state != NOBODY && now.users[i].state != GONE && strcmp(now.users[i].login, login) == 0)
            return true;
    return false;
}

static bool group_name_is_taken(const char *name)
{
    for (int i = 0; i < GROUPS_MOST; i++)
        if (now.groups[i].state == THERE && strcmp(now.groups[i].name, name) == 0)
            return true;
    return false;
}

static void choose_login(char login[WORD_BYTES])
{
    char free_one[WORD_BYTES];

    do {
        snprintf(free_one, WORD_BYTES, "%s@example.com", logins[below(LOGIN_COUNT)]);
    } while (login_is_taken(free_one));
    memcpy(login, free_one, WORD_BYTES);
}

static void choose_group_name(char name[WORD_BYTES])
{
    char free_one[WORD_BYTES];

    do {
        snprintf(free_one, WORD_BYTES, "%s", group_names[below(GROUP_NAME_COUNT)]);
    } while (group_name_is_taken(free_one));
    memcpy(name, free_one, WORD_BYTES);
}

static void choose_name(char name[WORD_BYTES])
{
    snprintf(name, WORD_BYTES, "Person Name%d", now.names++);
}

static void publish(enum happening what, int user, int group)
{
    struct life_event *event = &now.life->events[now.life->count];

    *event = (struct life_event){ .what = what, .user = user, .group = group, .number = (int)now.life->count, .minute = now.minute };
    if (user >= 0) {
        memcpy(event->login, now.users[user].login, WORD_BYTES);
        memcpy(event->name, now.users[user].name, WORD_BYTES);
    }
    if (group >= 0)
        memcpy(event->group_name, now.groups[group].name, WORD_BYTES);
    now.life->count++;
    now.minute++;
}

static void hire(int user)
{
    choose_login(now.users[user].login);
    choose_name(now.users[user].name);
    now.users[user].state = STAGED;
    publish(HIRED, user, -1);
    if (happens(60)) {
        if (happens(30)) /* as imports do: in the same moment */
            now.minute--;
        now.users[user].state = ACTIVE;
        publish(ACTIVATED, user, -1);
    }
}

static void rename_user(int user)
{
    if (happens(75))
        choose_login(now.users[user].login);
    if (happens(50))
        choose_name(now.users[user].name);
    publish(RENAMED, user, -1);
}

static void change_status(int user)
{
    static const struct {
        enum user_state from, to;
        enum happening what;
    } ways[] = {
        { STAGED, ACTIVE, ACTIVATED },       { ACTIVE, SUSPENDED_NOW, SUSPENDED }, { ACTIVE, OUT, DEACTIVATED },
        { SUSPENDED_NOW, ACTIVE, UNSUSPENDED }, { SUSPENDED_NOW, OUT, DEACTIVATED }, { OUT, ACTIVE, REACTIVATED },
        { OUT, GONE, DELETED },              { STAGED, OUT, DEACTIVATED },
    };
    size_t way;

    do {
        way = (size_t)below((int)(sizeof(ways) / sizeof(ways[0])));
    } while (ways[way].from != now.users[user].state);
    now.users[user].state = ways[way].to;
    publish(ways[way].what, user, -1);
}

static void change_membership(int user, int group)
{
    bool *member = &now.users[user].member[group];

    if (now.groups[group].state != THERE)
        return;
    *member = !*member;
    publish(*member ? JOINED : PARTED, user, group);
}

static void change_group(int group)
{
    if (now.groups[group].state == NO_GROUP) {
        choose_group_name(now.groups[group].name);
        now.groups[group].state = THERE;
        publish(GROUP_MADE, -1, group);
    } else if (now.groups[group].state == THERE && happens(25)) {
        now.groups[group].state = NO_MORE;
        publish(GROUP_DELETED, -1, group);
    } else if (now.groups[group].state == THERE) {
        choose_group_name(now.groups[group].name);
        publish(GROUP_RENAMED, -1, group);
    }
}

/* Everybody is gone and every group is no more. */
static bool is_over(void)
{
    bool over = true;

    for (int i = 0; i < USERS_MOST; i++)
        over = over && now.users[i].state == GONE;
    for (int i = 0; i < GROUPS_MOST; i++)
        over = over && now.groups[i].state == NO_MORE;
    return over;
}

static void happen(void)
{
    int user = below(USERS_MOST), group = below(GROUPS_MOST), what = below(100);

    if (what < 25)
        change_group(group);
    else if (now.users[user].state == GONE)
        return;
    else if (now.users[user].state == NOBODY)
        hire(user);
    else if (what < 50)
        rename_user(user);
    else if (what < 72)
        change_status(user);
    else
        change_membership(user, group);
}

/* ---- how it is told ---- */

static void add_step(struct telling *telling, enum step_kind kind, int number)
{
    if (telling->count < STEPS_MOST)
        telling->steps[telling->count++] = (struct step){ kind, number };
}

/* As published, anyhow, or nearly as published. */
static size_t order_events(const struct life *life, int order[2 * EVENTS_MOST])
{
    int reach = below(3) == 0 ? 0 : below(2) == 0 ? 4 : (int)life->count;
    size_t count = life->count;

    for (size_t i = 0; i < count; i++)
        order[i] = life->events[i].number;
    for (int i = (int)count - 1; i > 0 && reach > 0; i--) {
        int with = i - below(reach < i + 1 ? reach : i + 1), kept = order[i];
        order[i] = order[with];
        order[with] = kept;
    }
    for (size_t i = 0; i < life->count / 4; i++) { /* again, later */
        order[count] = order[below((int)count)];
        count++;
    }
    return count;
}

static void tell(const struct life *life, struct telling *telling)
{
    int order[2 * EVENTS_MOST];
    size_t count = order_events(life, order);
    int batch = 1 + below(12), rests = below(2) == 0 ? 0 : 10 + below(60);

    telling->workers = 1 + below(4);
    telling->lost_every = below(3) == 0 ? 5 + below(20) : 0;
    for (size_t i = 0; i < count; i++) {
        add_step(telling, STEP_EVENT, order[i]);
        if (below(batch) != 0)
            continue;
        int what = below(100);
        add_step(telling, what < 4 ? STEP_RESTART : what < 4 + rests ? STEP_REST : STEP_SEND, 0);
    }
}

void life_make(uint64_t seed, struct life *ret_life, struct telling *ret_telling)
{
    random_seeded_init(&chance, seed);
    memset(ret_life, 0, sizeof(*ret_life));
    memset(ret_telling, 0, sizeof(*ret_telling));
    memset(&now, 0, sizeof(now));
    now.life = ret_life;
    size_t events = 5 + (size_t)below(40);
    while (ret_life->count < events && !is_over())
        happen();
    tell(ret_life, ret_telling);
}

struct trouble life_trouble(uint64_t seed)
{
    return trouble_make(seed, group_names, GROUP_NAME_COUNT);
}

/* ---- as Okta posts it ---- */

const struct life_event *life_find(const struct life *life, int number)
{
    for (size_t i = 0; i < life->count; i++)
        if (life->events[i].number == number)
            return &life->events[i];
    return NULL;
}

static const char *const types[HAPPENING_COUNT] = {
    [HIRED] = "user.lifecycle.create",
    [ACTIVATED] = "user.lifecycle.activate",
    [RENAMED] = "user.account.update_profile",
    [SUSPENDED] = "user.lifecycle.suspend",
    [UNSUSPENDED] = "user.lifecycle.unsuspend",
    [DEACTIVATED] = "user.lifecycle.deactivate",
    [REACTIVATED] = "user.lifecycle.reactivate",
    [DELETED] = "user.lifecycle.delete.completed",
    [GROUP_MADE] = "group.lifecycle.create",
    [GROUP_RENAMED] = "group.profile.update",
    [GROUP_DELETED] = "group.lifecycle.delete",
    [JOINED] = "group.user_membership.add",
    [PARTED] = "group.user_membership.remove",
};

static json_t *event_json(const struct life_event *event)
{
    json_t *targets = json_array();
    char text[64];

    if (event->user >= 0) {
        snprintf(text, sizeof(text), "00u%d", event->user);
        json_array_append_new(targets, json_pack("{s:s,s:s,s:s,s:s}", "id", text, "type", "User", "alternateId", event->login,
                                                 "displayName", event->name));
    }
    if (event->group >= 0) {
        snprintf(text, sizeof(text), "00g%d", event->group);
        json_array_append_new(targets, json_pack("{s:s,s:s,s:s,s:s}", "id", text, "type", "UserGroup", "alternateId", "unknown",
                                                 "displayName", event->group_name));
    }
    char uuid[64];
    snprintf(uuid, sizeof(uuid), "11111111-0000-0000-0000-%012d", event->number);
    snprintf(text, sizeof(text), "2026-01-01T%02d:%02d:00.000Z", event->minute / 60, event->minute % 60);
    return json_pack("{s:s,s:s,s:s,s:{s:s},s:o}", "uuid", uuid, "published", text, "eventType", types[event->what], "outcome", "result",
                     "SUCCESS", "target", targets);
}

char *life_body(const struct life *life, const int *numbers, size_t count, int request)
{
    json_t *events = json_array();
    char id[32];

    for (size_t i = 0; i < count; i++) {
        const struct life_event *event = life_find(life, numbers[i]);
        if (event != NULL)
            json_array_append_new(events, event_json(event));
    }
    snprintf(id, sizeof(id), "life-%d", request);
    json_t *body = json_pack("{s:s,s:s,s:s,s:{s:o}}", "eventType", "com.okta.event_hook", "eventId", id, "eventTime",
                             "2026-01-02T00:00:00.000Z", "data", "events", events);
    char *text = json_dumps(body, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(body);
    if (text == NULL)
        abort();
    return text;
}
