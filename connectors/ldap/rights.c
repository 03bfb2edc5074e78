#include "connectors/ldap/rights.h"

#include "base/str.h"
#include "connectors/ldap/lock.h"

/* ---- what is asked for: NAME@CLASS ---- */

static void free_list(char **list)
{
    for (char **item = list; item != NULL && *item != NULL; item++)
        free(*item);
    free(list);
}

static size_t count_of(const char *const *list)
{
    size_t count = 0;

    while (list[count] != NULL)
        count++;
    return count;
}

static char **names_to_ask(const struct connector_rehearsal *rehearsal)
{
    size_t count = 0;
    char **list = calloc(count_of(rehearsal->names) * count_of(rehearsal->classes) + 1, sizeof(*list));

    for (const char *const *class = rehearsal->classes; list != NULL && *class != NULL; class++)
        for (const char *const *name = rehearsal->names; *name != NULL; name++)
            if (strcasecmp(*class, "top") != 0 && (list[count] = str_printf("%s@%s", lock_attribute(*name), *class)) != NULL)
                count++;
    return list;
}

/* ---- what is told ---- */

static char *value_of(struct connector_session *session, LDAPMessage *entry, const char *name)
{
    struct berval **values = ldap_get_values_len(session->ld, entry, name);
    char *text = values != NULL && values[0] != NULL ? strndup(values[0]->bv_val, values[0]->bv_len) : NULL;

    ldap_value_free_len(values);
    return text;
}

enum right { RIGHT_UNKNOWN, RIGHT_NONE, RIGHT_WRITE };

/* Out of "cn:rscwo, mail:none". */
static enum right right_in(const char *list, const char *name)
{
    size_t length = strlen(name);

    for (const char *at = list; at != NULL && *at != '\0'; at += strcspn(at, ","), at += strspn(at, ", ")) {
        size_t own = strcspn(at, ":,");
        if (own != length || strncasecmp(at, name, length) != 0 || at[own] != ':')
            continue;
        const char *rights = at + own + 1;
        size_t end = strcspn(rights, ",");
        return strncmp(rights, "none", 4) != 0 && memchr(rights, 'w', end) != NULL ? RIGHT_WRITE : RIGHT_NONE;
    }
    return RIGHT_UNKNOWN;
}

/* The best that an entry of the answer tells: the place itself takes few attributes. */
static enum right right_of(struct connector_session *session, const struct answer *answer, const char *name)
{
    enum right best = RIGHT_UNKNOWN;

    for (LDAPMessage *entry = answer_entry(session, answer); entry != NULL; entry = ldap_next_entry(session->ld, entry)) {
        cleanup_free char *list = value_of(session, entry, "attributeLevelRights");
        enum right right = right_in(list, name);
        best = right > best ? right : best;
    }
    return best;
}

static void judge(struct connector_session *session, const struct connector_rehearsal *rehearsal,
                  const struct connector_line *place, const struct answer *answer, struct problems *problems)
{
    const char *who = session->settings->bind_dn;
    cleanup_free char *rights = value_of(session, answer_entry(session, answer), "entryLevelRights");

    if (rights != NULL && strchr(rights, 'a') == NULL)
        problems_add_once(problems, "%s (%s:%d): %s may not add entries below \"%s\"; give it the right", place->name,
                          place->file, place->line, who, place->dn);
    for (const char *const *name = rehearsal->names; *name != NULL; name++) {
        const char *real = lock_attribute(*name);
        if (right_of(session, answer, real) == RIGHT_NONE)
            problems_add_once(problems, "%s: %s may not write it below \"%s\"; give it the right", real, who, place->dn);
    }
}

bool rights_check(struct connector_session *session, const struct connector_rehearsal *rehearsal,
                  const struct connector_line *place, struct problems *problems, struct problems *notes, struct receipt *receipt)
{
    cleanup_answer struct answer answer = { 0 };

    if (!session->tells_rights || session->settings->bind_dn == NULL) {
        problems_add_once(notes, "whether the agent may write (the server does not tell without a change)");
        return true;
    }
    char **names = names_to_ask(rehearsal);
    const struct request request = {
        .kind = REQUEST_SEARCH, .dn = place->dn, .scope = LDAP_SCOPE_BASE, .filter = "(objectClass=*)",
        .attributes = (const char *const *)names, .rights_of = session->settings->bind_dn, .optional = true,
    };
    bool answered = names != NULL ? session_ask(session, &request, &answer, receipt) : true;
    if (answered && answer_entry(session, &answer) != NULL)
        judge(session, rehearsal, place, &answer, problems);
    else if (answered)
        problems_add_once(notes, "whether the agent may write below \"%s\"", place->dn);
    free_list(names);
    return answered;
}
