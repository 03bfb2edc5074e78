/* provostctl status: the agent's answer as text, with what a person should do. */
#include <inttypes.h>

#include "base/str.h"
#include "ctl/api.h"
#include "ctl/table.h"

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL && *text != '\0' ? text : "-";
}

static int64_t number_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static void put_bytes(int64_t bytes)
{
    static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1024 && unit < 4) {
        value /= 1024;
        unit++;
    }
    printf(unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

static void put_head(const struct ctl *ctl, const char *head)
{
    printf("%s%-9s%s ", ctl_paint(ctl, COLOUR_BOLD), head, ctl_paint(ctl, COLOUR_NONE));
}

static void put_agent(const struct ctl *ctl, const json_t *agent)
{
    put_head(ctl, "Agent");
    char up[DURATION_TEXT_BYTES];

    duration_format(number_of(agent, "uptime_s") * 1000000, up);
    printf("provostd %s, process %" PRId64 ", up %s, memory ", text_of(agent, "version"), number_of(agent, "pid"), up);
    put_bytes(number_of(agent, "memory_bytes"));
    printf("\n          listening at ");
    table_put_text(text_of(agent, "listening"));
    putchar('\n');
}

static void put_store(const struct ctl *ctl, const json_t *store)
{
    put_head(ctl, "Store");
    table_put_text(text_of(store, "path"));
    printf(", ");
    put_bytes(number_of(store, "bytes"));
    printf("\n          %" PRId64 " events, %" PRId64 " duplicates, %" PRId64 " identities, %" PRId64 " in quarantine",
           number_of(store, "events"), number_of(store, "duplicates"), number_of(store, "identities"), number_of(store, "quarantined"));
    printf("\n          last commit %s\n", text_of(store, "last_commit"));
}

static void put_endpoint(const struct ctl *ctl, const json_t *endpoint)
{
    const char *name;
    const json_t *count;
    bool first = true;

    put_head(ctl, "Endpoint");
    json_object_foreach((json_t *)endpoint, name, count) {
        if (json_integer_value(count) == 0 && strcmp(name, "requests") != 0)
            continue;
        printf("%s%" JSON_INTEGER_FORMAT " ", first ? "" : ", ", json_integer_value(count));
        for (const char *c = name; *c != '\0'; c++)
            putchar(*c == '_' ? ' ' : *c);
        first = false;
    }
    putchar('\n');
}

static const char *refusal_of(const json_t *door)
{
    return str_equal(text_of(door, "last_refusal"), "tls") ? "the TLS handshake failed" : "a wrong or no secret";
}

static void put_door(const json_t *door, const json_t *certificate)
{
    printf("          last delivery accepted %s, last refused %s", text_of(door, "last_accepted"), text_of(door, "last_refused"));
    if (json_is_string(json_object_get(door, "last_refused")))
        printf(" (%s)", refusal_of(door));
    putchar('\n');
    if (json_is_object(certificate))
        printf("          certificate expires %s, %" PRId64 " days left\n", text_of(certificate, "expires"),
               number_of(certificate, "days_left"));
}

static void put_sources(const struct ctl *ctl, const json_t *sources)
{
    size_t index;
    const json_t *source;

    json_array_foreach(sources, index, source) {
        put_head(ctl, index == 0 ? "Source" : "");
        table_put_text(text_of(source, "name"));
        printf(": last event received at %s\n", text_of(source, "last_received"));
    }
}

static enum ctl_colour state_colour(const char *state)
{
    if (str_equal(state, "up"))
        return COLOUR_GOOD;
    return str_equal(state, "down") || str_equal(state, "refusing") || str_equal(state, "gone") ? COLOUR_BAD : COLOUR_WARN;
}

static const char *const lane_columns[] = { "ready", "leased", "waiting", "due", "held", "dead" };
#define LANE_COLUMNS (sizeof(lane_columns) / sizeof(lane_columns[0]))

static void put_targets(const struct ctl *ctl, const json_t *targets)
{
    static const char *const heads[] = { "TARGET", "CONNECTOR", "STATE", "READY", "LEASED", "WAITING", "DUE", "HELD", "DEAD",
                                         "LAST SUCCESS", NULL };
    struct table table;
    size_t index;
    const json_t *target;

    if (json_array_size(targets) == 0) {
        printf("\nNo targets are configured: events are taken and kept, nothing is written.\n");
        return;
    }
    table_start(&table, heads);
    json_array_foreach(targets, index, target) {
        const char *state = text_of(target, "state");
        table_cell(&table, COLOUR_BOLD, "%s", text_of(target, "name"));
        table_cell(&table, COLOUR_NONE, "%s", text_of(target, "connector"));
        table_cell(&table, state_colour(state), "%s", state);
        for (size_t i = 0; i < LANE_COLUMNS; i++) {
            int64_t lanes = number_of(target, lane_columns[i]);
            bool bad = lanes > 0 && str_equal(lane_columns[i], "dead");
            table_cell(&table, bad ? COLOUR_BAD : COLOUR_NONE, "%" PRId64, lanes);
        }
        table_cell(&table, COLOUR_NONE, "%s", text_of(target, "last_success"));
    }
    putchar('\n');
    table_print(&table, ctl, "");
    table_free(&table);
}

/* A leaver is out within moments; one who waits longer needs a person, whatever he waits for. Other work may fail for a while. */
#define LEAVER_WAIT_MOST_S 60
#define FAILING_MOST_S 600

/* A count that is not a number could not be read: that is late, too. */
static bool is_late(const json_t *waiting, const char *counted, int64_t most_s)
{
    if (!json_is_integer(json_object_get(waiting, counted)))
        return true;
    return number_of(waiting, counted) > 0 && number_of(waiting, "waited_s") >= most_s;
}

static bool leavers_are_late(const json_t *target)
{
    return is_late(json_object_get(target, "leavers"), "not_out", LEAVER_WAIT_MOST_S);
}

static bool work_fails_for_long(const json_t *target)
{
    return is_late(json_object_get(target, "failing"), "lanes", FAILING_MOST_S);
}

static void advise(const struct ctl *ctl, enum ctl_colour colour, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void advise(const struct ctl *ctl, enum ctl_colour colour, const char *format, ...)
{
    cleanup_buf struct buf text = { 0 };
    va_list args;

    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    printf("%s* ", ctl_paint(ctl, colour));
    table_put_text(text.bytes != NULL ? text.bytes : "");
    printf("%s\n", ctl_paint(ctl, COLOUR_NONE));
}

/* "ann@example.com, bob@example.com, …" */
static char *names_of(const json_t *waiting, const char *counted)
{
    const json_t *first = json_object_get(waiting, "first"), *name;
    struct buf text = { 0 };
    size_t index;

    json_array_foreach(first, index, name)
        buf_printf(&text, "%s%s", index > 0 ? ", " : "", json_string_value(name) != NULL ? json_string_value(name) : "?");
    if (number_of(waiting, counted) > (int64_t)json_array_size(first))
        buf_printf(&text, ", …");
    return buf_take(&text);
}

/* A leaver is whoever has access that must end: somebody who was taken out of a group counts, too. Whether anything was said. */
static bool advise_leavers(const struct ctl *ctl, const json_t *target)
{
    const json_t *leavers = json_object_get(target, "leavers");
    cleanup_free char *names = names_of(leavers, "not_out");
    const char *name = text_of(target, "name");
    int64_t count = number_of(leavers, "not_out");

    if (!json_is_integer(json_object_get(leavers, "not_out")))
        advise(ctl, COLOUR_BAD, "Who is not out of %s could not be read from the store: the agent's log tells why.", name);
    if (count > 0)
        advise(ctl, leavers_are_late(target) ? COLOUR_BAD : COLOUR_WARN,
               "%" PRId64 " leaver%s not out of %s yet (%s), the oldest since %s: `provostctl waiting --leavers --target %s` "
               "tells why.",
               count, count == 1 ? " is" : "s are", name, names != NULL ? names : "?", text_of(leavers, "since"), name);
    return count > 0 || leavers_are_late(target);
}

static bool advise_failing(const struct ctl *ctl, const json_t *target)
{
    const json_t *failing = json_object_get(target, "failing");
    cleanup_free char *names = names_of(failing, "lanes");
    const char *name = text_of(target, "name");
    int64_t count = number_of(failing, "lanes");

    if (count > 0)
        advise(ctl, work_fails_for_long(target) ? COLOUR_BAD : COLOUR_WARN,
               "Work for %" PRId64 " user%s or group%s fails in %s and is tried again (%s), the oldest since %s: `provostctl "
               "waiting --target %s` "
               "tells why.", count, count == 1 ? "" : "s", count == 1 ? "" : "s", name, names != NULL ? names : "?",
               text_of(failing, "since"), name);
    return count > 0;
}

/* A sweep that could have found nobody: the target is set up wrongly, or nobody has used it yet. */
static bool advise_unseen(const struct ctl *ctl, const json_t *target)
{
    const json_t *unseen = json_object_get(target, "unseen");
    int64_t count = number_of(unseen, "lanes");

    if (count > 0)
        advise(ctl, COLOUR_BAD, "Sessions of %" PRId64 " in %s were looked for where nobody could be found: %s. `provostctl check --connect` looks "
               "again; the work goes on by itself.", count, text_of(target, "name"), text_of(unseen, "reason"));
    return count > 0;
}

static void put_revokes(const json_t *targets)
{
    size_t index;
    const json_t *target;

    json_array_foreach(targets, index, target) {
        const json_t *revokes = json_object_get(target, "revokes");
        if (number_of(revokes, "sweeps") == 0)
            continue;
        printf("Sessions in ");
        table_put_text(text_of(target, "name"));
        printf(": ended for %" PRId64 " events, from the event to the end of the first sweep p50 %" PRId64 " ms, p99 %" PRId64 " ms\n",
               number_of(revokes, "sweeps"), number_of(revokes, "p50_ms"), number_of(revokes, "p99_ms"));
    }
}

/* A person gave their work up: they still have access, and a person knows. Whether anything was said. */
static bool advise_dropped(const struct ctl *ctl, const json_t *target)
{
    const json_t *dropped = json_object_get(target, "dropped");
    cleanup_free char *names = names_of(dropped, "leavers");
    const char *name = text_of(target, "name");
    int64_t count = number_of(dropped, "leavers");
    bool gone = str_equal(text_of(target, "state"), "gone");
    cleanup_free char *back = gone ? str_printf("the target must be configured again to take it back")
                                   : str_printf("`provostctl retry %s --dropped` takes it back", name);

    if (count > 0)
        advise(ctl, COLOUR_BAD, "The work for %" PRId64 " leaver%s in %s was given up (%s), first at %s, and they may still "
               "have access: `provostctl show USER` tells who did it and why it was refused, %s.", count,
               count == 1 ? "" : "s", name, names != NULL ? names : "?", text_of(dropped, "since"),
               back != NULL ? back : "");
    return count > 0;
}

/* Nobody works on it: a person decides. */
static void advise_gone(const struct ctl *ctl, const json_t *target)
{
    const char *name = text_of(target, "name");
    int64_t lanes = 0, leavers = number_of(json_object_get(target, "leavers"), "not_out");

    for (size_t i = 0; i < LANE_COLUMNS; i++)
        lanes += number_of(target, lane_columns[i]);
    if (lanes > 0)
        advise(ctl, COLOUR_BAD, "%s is not configured any more, but work for %" PRId64 " user%s or group%s waits for it: add it "
               "to the configuration again under this name, or give the work up with `provostctl drop %s%s`; `provostctl check` "
               "says more.", name,
               lanes, lanes == 1 ? "" : "s", lanes == 1 ? "" : "s", name, leavers > 0 ? " --leavers" : "");
}

/* Whether anything was said. */
static bool advise_target(const struct ctl *ctl, const json_t *target)
{
    const char *name = text_of(target, "name"), *state = text_of(target, "state");
    bool down = str_equal(state, "down"), held = str_equal(state, "held"), refusing = str_equal(state, "refusing");
    int64_t dead = number_of(target, "dead");

    if (str_equal(state, "gone")) {
        advise_gone(ctl, target);
        advise_leavers(ctl, target);
        advise_dropped(ctl, target);
        return true;
    }
    if (down)
        advise(ctl, COLOUR_BAD, "%s is down since %s: %s. Work waits and goes on by itself; `provostctl check --connect` probes it.", name,
               text_of(target, "since"), text_of(target, "last_error"));
    if (refusing)
        advise(ctl, COLOUR_BAD, "%s refuses everybody's changes since %s: %s. Work waits; one piece of it is tried from time to time, and all "
               "goes on once that is taken.", name, text_of(target, "since"), text_of(target, "last_error"));
    if (held)
        advise(ctl, COLOUR_WARN, "%s is held: nothing is written to it until `provostctl resume %s`.", name, name);
    bool waits = advise_leavers(ctl, target);
    waits = advise_unseen(ctl, target) || waits;
    waits = advise_failing(ctl, target) || waits;
    waits = advise_dropped(ctl, target) || waits;
    if (dead > 0)
        advise(ctl, COLOUR_BAD, "%s has %" PRId64 " dead letter%s: `provostctl dead --target %s` tells why, `provostctl retry %s` tries again.",
               name, dead, dead == 1 ? "" : "s", name, name);
    return down || refusing || held || waits || dead > 0;
}

/* Whether anything was said. */
static bool advise_clock(const struct ctl *ctl, const json_t *clock)
{
    int64_t skew_s = number_of(clock, "skew_s"), held_s = number_of(clock, "removals_held_s");
    char skew[DURATION_TEXT_BYTES], held[DURATION_TEXT_BYTES];

    duration_format((skew_s < 0 ? -skew_s : skew_s) * 1000000, skew);
    duration_format(held_s * 1000000, held);
    if (skew_s != 0)
        advise(ctl, COLOUR_BAD, "This machine's clock is %s %s, by the times at which Okta sent its last requests: set it, and let it be "
               "synchronized (`timedatectl` tells whether it is).%s", skew, skew_s > 0 ? "slow" : "ahead",
               skew_s > 0 ? " Removals that are due come late." : " Removals and retention go by Okta's clock until then.");
    if (held_s != 0 && skew_s >= 0)
        advise(ctl, COLOUR_WARN, "Removals and retention wait until %s: the clock is %s later than the agent can account for (it was set "
               "forward, or the agent was off or suspended), and is believed after an hour.", text_of(clock, "removals_held_until"), held);
    return skew_s != 0 || held_s != 0;
}

/* Nothing that Okta sent came in since something was refused. */
static bool door_is_shut(const json_t *status)
{
    return number_of(json_object_get(status, "door"), "refused_since_accepted") > 0 ||
           json_is_true(json_object_get(json_object_get(status, "certificate"), "expired"));
}

/* Whether anything was said. */
static bool advise_door(const struct ctl *ctl, const json_t *status)
{
    const json_t *door = json_object_get(status, "door");
    int64_t refused = number_of(door, "refused_since_accepted");
    int64_t before = number_of(json_object_get(status, "endpoint"), "unauthorized");
    bool tls = str_equal(text_of(door, "last_refusal"), "tls");

    if (refused > 0)
        advise(ctl, COLOUR_BAD, "%" PRId64 " request%s refused since the last delivery was accepted (%s), the last one at %s: "
               "%s; %s", refused,
               refused == 1 ? " was" : "s were", text_of(door, "last_accepted"), text_of(door, "last_refused"), refusal_of(door),
               tls ? "see whether Okta can trust the certificate (its authority, its names, its date)."
                   : "compare the hook's secret in Okta with hook.secret.");
    else if (before > 0)
        advise(ctl, COLOUR_WARN, "%" PRId64 " request%s had a wrong or no secret; deliveries were accepted after that.", before,
               before == 1 ? "" : "s");
    return refused > 0 || before > 0;
}

/* Whether anything was said. */
static bool advise_certificate(const struct ctl *ctl, const json_t *certificate)
{
    const char *file = text_of(certificate, "file"), *expires = text_of(certificate, "expires");
    int64_t days = number_of(certificate, "days_left");

    if (!json_is_object(certificate) || days >= CERTIFICATE_DAYS_LEAST)
        return false;
    if (json_is_true(json_object_get(certificate, "expired")))
        advise(ctl, COLOUR_BAD, "The certificate that is served (%s) expired on %s: Okta does not deliver to it. Renew it, then "
               "restart provostd.", file, expires);
    else
        advise(ctl, COLOUR_WARN, "The certificate that is served (%s) expires on %s, in %" PRId64 " day%s. Renew it, then "
               "restart provostd.",
               file, expires, days, days == 1 ? "" : "s");
    return true;
}

/* Whether anything was said. */
static bool advise_all(const struct ctl *ctl, const json_t *status)
{
    const json_t *store = json_object_get(status, "store");
    const char *last_error = json_string_value(json_object_get(store, "last_error"));
    int64_t quarantined = number_of(store, "quarantined");
    bool advised = last_error != NULL || quarantined > 0;
    size_t index;
    const json_t *target;

    if (last_error != NULL)
        advise(ctl, COLOUR_BAD, "The store cannot commit: %s. Okta is answered 503 until it can.", last_error);
    advised = advise_door(ctl, status) || advised;
    advised = advise_certificate(ctl, json_object_get(status, "certificate")) || advised;
    if (quarantined > 0)
        advise(ctl, COLOUR_WARN, "Bodies that could not be understood are in quarantine; journalctl -u provostd has the reasons.");
    advised = advise_clock(ctl, json_object_get(status, "clock")) || advised;
    json_array_foreach(json_object_get(status, "targets"), index, target)
        advised = advise_target(ctl, target) || advised;
    return advised;
}

static bool target_is_well(const json_t *target)
{
    const char *state = text_of(target, "state");

    return !str_equal(state, "down") && !str_equal(state, "refusing") && !str_equal(state, "gone") &&
           number_of(target, "dead") == 0 && !is_late(json_object_get(target, "dropped"), "leavers", 0) && !leavers_are_late(target) &&
           !work_fails_for_long(target) && !is_late(json_object_get(target, "unseen"), "lanes", 0);
}

/* Nothing needs a person; what was advised may still be worth a look. */
static bool is_well(const json_t *status)
{
    size_t index;
    const json_t *target;

    if (json_is_string(json_object_get(json_object_get(status, "store"), "last_error")) ||
        number_of(json_object_get(status, "clock"), "skew_s") != 0 || door_is_shut(status))
        return false;
    json_array_foreach(json_object_get(status, "targets"), index, target)
        if (!target_is_well(target))
            return false;
    return true;
}

int ctl_status(struct ctl *ctl)
{
    json_t *status = NULL;
    int code = api_call(ctl, "GET", "/v1/status", NULL, &status);

    if (code != 0)
        return code;
    bool well = is_well(status);
    if (ctl->json) {
        ctl_print_json(status);
        return well ? CTL_OK : CTL_UNWELL;
    }
    put_agent(ctl, json_object_get(status, "agent"));
    put_store(ctl, json_object_get(status, "store"));
    put_endpoint(ctl, json_object_get(status, "endpoint"));
    put_door(json_object_get(status, "door"), json_object_get(status, "certificate"));
    put_sources(ctl, json_object_get(status, "sources"));
    put_targets(ctl, json_object_get(status, "targets"));
    put_revokes(json_object_get(status, "targets"));
    putchar('\n');
    bool advised = advise_all(ctl, status);
    if (well)
        advise(ctl, COLOUR_GOOD, advised ? "All else is well." : "All is well.");
    json_decref(status);
    return well ? CTL_OK : CTL_UNWELL;
}
