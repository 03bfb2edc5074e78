/*
 * The tables, and how an older file is brought up to date: PRAGMA
 * user_version is the number of steps it has had. README.md draws the tables.
 */
#include "store/store_private.h"

#define APPLICATION_ID 1347573078 /* "PRVV": tells our file from another's */

static const char version_1[] =
    "CREATE TABLE counter (id INTEGER PRIMARY KEY CHECK (id = 1), event NOT NULL DEFAULT 0, delivery NOT NULL DEFAULT 0,"
    " operation NOT NULL DEFAULT 0, identity NOT NULL DEFAULT 0, generation NOT NULL DEFAULT 0, quarantine NOT NULL DEFAULT 0,"
    " events NOT NULL DEFAULT 0, duplicates NOT NULL DEFAULT 0, duplicate_requests NOT NULL DEFAULT 0,"
    " quarantined NOT NULL DEFAULT 0, received NOT NULL DEFAULT 0);"
    "INSERT INTO counter (id) VALUES (1);CREATE TABLE day (day INTEGER PRIMARY KEY, event INTEGER NOT NULL);"
    "CREATE TABLE target (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, held INTEGER NOT NULL DEFAULT 0);"
    /* in the order of the events' own times, so that new keys go to the same few pages */
    "CREATE TABLE seen (t INTEGER NOT NULL, key BLOB NOT NULL, event INTEGER NOT NULL, PRIMARY KEY (t, key)) WITHOUT ROWID;"
    "CREATE TABLE event (id INTEGER PRIMARY KEY, received INTEGER, published INTEGER, uuid TEXT, type TEXT, outcome TEXT,"
    " effect INTEGER, actor TEXT, kind INTEGER, subject_id TEXT, subject_name TEXT, previous INTEGER, delivery INTEGER,"
    " deliveries INTEGER, raw TEXT);CREATE TABLE identity (n INTEGER PRIMARY KEY, kind INTEGER NOT NULL, id TEXT NOT NULL, "
    "last_event INTEGER, status TEXT, status_at INTEGER, live TEXT, live_at INTEGER, login TEXT, login_at INTEGER, name TEXT, "
    "name_at INTEGER, sessions_void INTEGER, present INTEGER, present_at INTEGER, profile_at INTEGER, profile TEXT);"
    "CREATE UNIQUE INDEX identity_id ON identity (id, kind);CREATE INDEX identity_login ON identity (login COLLATE NOCASE) WHERE "
    "login IS NOT NULL;"
    /* kind 0: `other` is a group's n; 1: an app's id */
    "CREATE TABLE membership (user INTEGER NOT NULL, kind INTEGER NOT NULL, other NOT NULL, present INTEGER NOT NULL,"
    " as_of INTEGER NOT NULL, name TEXT, PRIMARY KEY (user, kind, other)) WITHOUT ROWID;"
    "CREATE INDEX membership_group ON membership (other, user) WHERE kind = 0;"
    "CREATE TABLE delivery (id INTEGER PRIMARY KEY, event INTEGER, lane INTEGER NOT NULL, previous INTEGER, received INTEGER,"
    " done INTEGER, outcome TEXT, action TEXT, reason TEXT, attempt INTEGER);"
    "CREATE TABLE lane (key INTEGER PRIMARY KEY, target INTEGER NOT NULL, state INTEGER NOT NULL, rank INTEGER NOT NULL,"
    " at INTEGER NOT NULL, priority INTEGER NOT NULL, generation INTEGER NOT NULL DEFAULT 0, owner TEXT,"
    " attempt INTEGER NOT NULL DEFAULT 0, delivery INTEGER NOT NULL, deliveries INTEGER NOT NULL, again INTEGER NOT NULL DEFAULT 0,"
    " since INTEGER NOT NULL, oldest INTEGER NOT NULL, outcome TEXT, action TEXT, reason TEXT);"
    /* rank: the priority of a ready lane, else 0 */
    "CREATE INDEX lane_queue ON lane (target, state, rank, at);CREATE TABLE link (lane INTEGER PRIMARY KEY, target INTEGER NOT "
    "NULL, kind INTEGER NOT NULL, key TEXT, locator TEXT, account TEXT, gone INTEGER NOT NULL, due INTEGER NOT NULL, linked "
    "INTEGER NOT NULL);CREATE UNIQUE INDEX link_key ON link (target, kind, key) WHERE NOT gone;"
    "CREATE TABLE operation (id INTEGER PRIMARY KEY, delivery INTEGER NOT NULL, lane INTEGER NOT NULL, identity INTEGER NOT NULL,"
    " at INTEGER NOT NULL, kind TEXT, locator TEXT, outcome TEXT, changes TEXT, before TEXT);"
    "CREATE INDEX operation_identity ON operation (identity, id);CREATE TABLE quarantine (id INTEGER PRIMARY KEY, at INTEGER, "
    "peer TEXT, reason TEXT, bytes INTEGER, body BLOB);";

/* Leavers can be told apart, an operation tells of sessions, and what is sent twice has one key. */
static const char version_2[] =
    /* leaver: since when somebody who shall be out is not; 0: nobody */
    "ALTER TABLE lane ADD COLUMN leaver INTEGER NOT NULL DEFAULT 0;"
    "UPDATE lane SET leaver = CASE WHEN oldest > 0 THEN oldest ELSE since END WHERE state <> 3 AND (1099511627775 & key) IN"
    " (SELECT n FROM identity WHERE kind = 0 AND status IN ('SUSPENDED', 'DEPROVISIONED', 'DELETED'));"
    "CREATE INDEX lane_leaver ON lane (target, leaver) WHERE leaver > 0;"
    "ALTER TABLE operation ADD COLUMN sessions_found INTEGER;ALTER TABLE operation ADD COLUMN sessions_ended INTEGER;"
    "ALTER TABLE operation ADD COLUMN note TEXT;CREATE TABLE claim (lane INTEGER NOT NULL, kind TEXT NOT NULL, digest TEXT NOT "
    "NULL, key TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (lane, kind, digest)) WITHOUT ROWID;";

/* One time for each trigger, as "clear=1700000000000000 …"; what was kept until then did not tell the triggers apart. */
static const char version_3[] =
    "ALTER TABLE identity ADD COLUMN voids TEXT;UPDATE identity SET voids = 'clear=' || sessions_void, sessions_void = NULL "
    "WHERE sessions_void > 0;"
    /* membership kind 2: `other` is the name of a session at the source */
    "CREATE INDEX membership_sign_in ON membership (as_of) WHERE kind = 2;";

/* What was sent when the answer was lost is looked for by what was known then, and not before it may show. */
static const char version_4[] =
    "ALTER TABLE claim ADD COLUMN wait INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE claim ADD COLUMN sent TEXT;";

/* What a group's lane began to write is known to the next attempt, and to another group that finds it. */
static const char version_5[] =
    "ALTER TABLE link ADD COLUMN begun TEXT;CREATE INDEX link_begun ON link (target, kind, locator) WHERE gone AND begun IS NOT "
    "NULL;";

/* Who stands at a place by the link, or may have left a value of before in a group. */
static const char version_6[] =
    "ALTER TABLE link ADD COLUMN former TEXT;ALTER TABLE link ADD COLUMN former_value TEXT;"
    "DROP INDEX link_begun;CREATE INDEX link_place ON link (target, kind, locator);"
    "CREATE INDEX link_former ON link (target, kind, former_value) WHERE former_value IS NOT NULL;";

/*
 * What was written into groups is a row, and what may have been sent an intent. Before, a link kept what a group's lane had begun to write
 * (`begun`), and the place and value of before a rename (`former`). Now:
 *   - A creation that was begun is an intent. A connector that gives the place itself has kept a key, too, and that one counts.
 *   - A person who is being renamed has the link of before, with the value of before: the next lane finds him moved and takes that value
 *     along. Until then each group that may hold it has a row.
 *   - A value that a group's lane began to write has a row for whose value it was; where nobody is found, for any member with an account.
 *   - Where two people have had one place, the one who has it now has rows for it, so that the other one takes nothing from him.
 * CROSS JOIN keeps the order of tables: of a file without statistics SQLite would compare each link with each.
 * A row that is not true is harmless. All other rows are noted when the person's lane is next worked on, by what the link says (deliver/
 * groups.c). A key is what the connector makes of most values; the lane that reads another one puts it right.
 */
#define PERSON_OF(link) "(1099511627775 & " link ".lane)"
#define KEY_OF(value) "CASE WHEN instr(" value ", '=') > 0 THEN lower(" value ") ELSE " value " END"
#define GROUP_WITH_ENTRY(target, group) \
    " CROSS JOIN link g ON g.lane = (" target " << 40) | " group " AND (NOT g.gone OR g.begun IS NOT NULL) "
#define MEMBERS_OF_BEGUN                                                                                    \
    " CROSS JOIN membership m ON g.kind = 1 AND g.begun IS NOT NULL AND m.kind = 0 AND m.other = " PERSON_OF("g") \
    " CROSS JOIN link l ON l.lane = (g.target << 40) | m.user"
#define HAS_LEFT_GROUPS(link) "(" link ".gone AND " link ".account IS NOT NULL)" /* the account is removed, its values may not be */
static const char version_7[] =
    "CREATE TABLE member_value (target INTEGER NOT NULL, grp INTEGER NOT NULL, key TEXT NOT NULL, user INTEGER NOT NULL,"
    " state INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY (target, grp, key, user)) WITHOUT ROWID;"
    "CREATE INDEX member_value_user ON member_value (target, user);"
    "ALTER TABLE claim RENAME TO intent;ALTER TABLE intent RENAME COLUMN kind TO operation;"
    "ALTER TABLE intent ADD COLUMN place TEXT;ALTER TABLE intent ADD COLUMN answered INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE intent ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX intent_place ON intent (place) WHERE place IS NOT NULL;"
    "ALTER TABLE lane ADD COLUMN undone TEXT;"
    /* creations; their time is that of the upgrade: a link may be older than intents are kept */
    "INSERT OR IGNORE INTO intent (lane, operation, digest, key, at, sent, place) SELECT l.lane, 'create', " KEY_OF("l.locator") ", '',"
    " c.received, json_object('name', json_extract(l.begun, '$.name'), 'login', json_extract(l.begun, '$.login')),"
    " CASE l.kind WHEN 1 THEN " KEY_OF("l.locator") " END FROM link l JOIN counter c WHERE l.gone AND l.begun IS NOT NULL AND"
    " l.locator IS NOT NULL AND NOT EXISTS (SELECT 1 FROM intent i WHERE i.lane = l.lane AND i.operation = 'create');"
    /* values of before a rename */
    "INSERT OR IGNORE INTO member_value SELECT l.target, m.other, " KEY_OF("l.former_value") ", m.user,"
    " CASE WHEN m.present AND NOT l.gone THEN 1 ELSE 3 END, l.former_value FROM link l"
    " CROSS JOIN membership m ON m.kind = 0 AND m.user = " PERSON_OF("l") GROUP_WITH_ENTRY("l.target", "m.other")
    "WHERE l.kind = 0 AND l.former_value IS NOT NULL;"
    /* values that groups began to write: of members whose place or account has them, or else of anybody there */
    "WITH held (target, grp, user, value) AS (SELECT g.target, m.other, m.user, l.locator FROM link g" MEMBERS_OF_BEGUN
    " UNION SELECT g.target, m.other, m.user, t.atom FROM link g" MEMBERS_OF_BEGUN
    " CROSS JOIN json_tree(l.account) t WHERE t.type = 'text') INSERT OR IGNORE INTO member_value SELECT h.target, h.grp, "
    "" KEY_OF("v.key") ", h.user, 1, v.key FROM link g"
    " CROSS JOIN json_each(g.begun, '$.members') v CROSS JOIN held h ON h.target = g.target AND h.grp = " PERSON_OF("g")
    " AND h.value = v.key WHERE g.kind = 1 AND g.begun IS NOT NULL;"
    "INSERT OR IGNORE INTO member_value SELECT g.target, " PERSON_OF("g") ", " KEY_OF("v.key") ", (SELECT min(m.user) FROM membership m"
    " JOIN link l ON l.lane = (g.target << 40) | m.user AND NOT l.gone WHERE m.kind = 0 AND m.other = " PERSON_OF("g") "), 1, v.key"
    " FROM link g JOIN json_each(g.begun, '$.members') v WHERE g.kind = 1 AND g.begun IS NOT NULL AND NOT EXISTS (SELECT 1 FROM"
    " member_value o WHERE o.target = g.target AND o.grp = " PERSON_OF("g") " AND o.key = " KEY_OF("v.key") ");"
    /* whoever has a place that was another's */
    "INSERT OR IGNORE INTO member_value SELECT l.target, m.other, " KEY_OF("coalesce(l.former_value, l.locator)") ", m.user, 1,"
    " coalesce(l.former_value, l.locator) FROM link l CROSS JOIN link x INDEXED BY link_place ON x.target = l.target AND x.kind = 0 AND"
    " x.locator = coalesce(l.former, l.locator) AND x.lane <> l.lane AND NOT x.gone"
    " CROSS JOIN membership m ON m.kind = 0 AND m.user = " PERSON_OF("x") " AND m.present" GROUP_WITH_ENTRY("l.target", "m.other")
    "WHERE l.kind = 0 AND (NOT l.gone OR l.former_value IS NOT NULL OR " HAS_LEFT_GROUPS("l") ");"
    /* a lane for each of them, and they are leavers where they must be out of a group */
    "INSERT OR IGNORE INTO lane (key, target, state, rank, at, priority, delivery, deliveries, since, oldest)"
    " SELECT w.lane, w.lane >> 40, 0, 2, c.received, 2, 0, 0, c.received, 0 FROM counter c JOIN"
    " (SELECT (target << 40) | user AS lane FROM member_value UNION SELECT lane FROM link l WHERE kind = 0 AND " HAS_LEFT_GROUPS("l") ") w;"
    "UPDATE lane SET state = 0, rank = 2, at = since WHERE state = 3 AND key IN (SELECT (target << 40) | user FROM member_value);"
    "WITH RECURSIVE pending (lane, delivery, left) AS (SELECT key, delivery, deliveries FROM lane WHERE deliveries > 0 UNION ALL"
    " SELECT p.lane, d.previous, p.left - 1 FROM pending p JOIN delivery d ON d.id = p.delivery WHERE p.left > 1)"
    " UPDATE lane SET leaver = CASE WHEN oldest > 0 THEN oldest ELSE since END WHERE leaver = 0 AND state <> 3 AND key IN"
    " (SELECT (target << 40) | user FROM member_value WHERE state = 3"
    " UNION SELECT lane FROM link l WHERE kind = 0 AND " HAS_LEFT_GROUPS("l")
    " UNION SELECT p.lane FROM pending p JOIN delivery d ON d.id = p.delivery JOIN event e ON e.id = d.event"
    " JOIN membership m ON m.user = 1099511627775 & p.lane AND m.kind < 2 AND NOT m.present AND m.as_of >= e.published);"
    "CREATE TABLE link_7 (lane INTEGER PRIMARY KEY, target INTEGER NOT NULL, kind INTEGER NOT NULL, key TEXT, locator TEXT,"
    " account TEXT, gone INTEGER NOT NULL, due INTEGER NOT NULL, linked INTEGER NOT NULL, member TEXT, member_key TEXT);"
    "INSERT INTO link_7 SELECT lane, target, kind, key, CASE WHEN gone THEN locator ELSE coalesce(former, locator) END, account, gone, due,"
    " linked, CASE WHEN NOT gone THEN former_value END, CASE WHEN NOT gone THEN " KEY_OF("former_value") " END FROM link"
    " WHERE NOT (gone AND key IS NULL);DROP TABLE link;ALTER TABLE link_7 RENAME TO link;"
    "CREATE UNIQUE INDEX link_key ON link (target, kind, key) WHERE NOT gone;";

/* newest: the newest time of the source; doubted: what was the newest known when a request told of a far later one; ahead: the source's
 * clock less ours in the last request; wall, removal: the two clocks when the file was last written to (0: not known). */
static const char version_8[] =
    "ALTER TABLE counter ADD COLUMN newest NOT NULL DEFAULT 0;ALTER TABLE counter ADD COLUMN doubted NOT NULL DEFAULT 0;"
    "ALTER TABLE counter ADD COLUMN ahead NOT NULL DEFAULT 0;ALTER TABLE counter ADD COLUMN wall NOT NULL DEFAULT 0;"
    "ALTER TABLE counter ADD COLUMN removal NOT NULL DEFAULT 0;UPDATE counter SET newest = (SELECT coalesce(max(published), 0) "
    "FROM (SELECT published FROM event ORDER BY id DESC LIMIT 1000)"
    " WHERE published <= received + 86400000000);" /* an event of 2099 tells nothing of the source's clock */;

/* failing: since when the work on a lane fails; 0: it does not. Before, only how often was known.
 * resumed: a person has resumed the target, so that `hold = true` in the configuration is over; a target that was written to had been.
 * dropped: what a person gave up, for 30 days. */
static const char version_9[] =
    "ALTER TABLE lane ADD COLUMN failing INTEGER NOT NULL DEFAULT 0;"
    "UPDATE lane SET failing = CASE WHEN oldest > 0 THEN oldest ELSE since END WHERE attempt > 0;"
    "CREATE INDEX lane_failing ON lane (target, failing) WHERE failing > 0 AND leaver = 0 AND state <> 5;"
    "ALTER TABLE target ADD COLUMN resumed INTEGER NOT NULL DEFAULT 0;"
    "UPDATE target SET resumed = 1 WHERE NOT held AND id IN (SELECT target FROM link);"
    "CREATE TABLE dropped (lane INTEGER PRIMARY KEY, target INTEGER NOT NULL, at INTEGER NOT NULL, by TEXT, leaver INTEGER NOT "
    "NULL, attempt INTEGER NOT NULL, outcome TEXT, action TEXT, reason TEXT, undone TEXT);"
    "CREATE INDEX dropped_leaver ON dropped (target, at) WHERE leaver > 0;";

/* adopted: 0: the entry was created here; 1: it was there before; 2: as 1, and it is being left. Of a group whose creation is not recorded any
 * more nobody knows; it is kept. */
static const char version_10[] =
    "ALTER TABLE link ADD COLUMN adopted INTEGER NOT NULL DEFAULT 0;"
    "UPDATE link SET adopted = 1 WHERE kind = 1 AND NOT gone AND NOT EXISTS (SELECT 1 FROM operation o WHERE o.identity ="
    " (1099511627775 & link.lane) AND o.lane = link.lane AND o.kind = 'create' AND o.outcome = 'applied');";

/* Where sessions of anybody were found once: a look that finds nobody there is believed. */
static const char version_11[] =
    "CREATE TABLE session_place (target INTEGER NOT NULL, place INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (target, place))"
    " WITHOUT ROWID;";

const struct schema_step schema_steps[] = {
    { version_1 }, { version_2 }, { version_3 }, { version_4 }, { version_5 }, { version_6 }, { version_7 }, { version_8 },
    { version_9 }, { version_10 }, { version_11 },
};
const int schema_version = sizeof(schema_steps) / sizeof(schema_steps[0]);

static int check_application(struct db *db, int64_t version, struct error *error)
{
    int64_t application = 0, tables = 0;
    int code = db_pragma_number(db, "PRAGMA application_id", &application, error);

    if (code == 0)
        code = db_pragma_number(db, "SELECT count(*) FROM sqlite_master", &tables, error);
    if (code < 0 || application == APPLICATION_ID || (application == 0 && version == 0 && tables == 0))
        return code;
    return error_set(error, ERROR_INVALID, "store %s: this database belongs to another program; name another file", db->path);
}

static int take_step(struct db *db, const struct schema_step *step, int64_t to, struct error *error)
{
    char pragmas[96];
    int code = db_execute(db, "BEGIN IMMEDIATE", error);

    if (code < 0)
        return code;
    sqlite3_snprintf(sizeof(pragmas), pragmas, "PRAGMA application_id=%d; PRAGMA user_version=%lld", APPLICATION_ID, (long long)to);
    code = db_execute(db, step->sql, error);
    if (code == 0)
        code = db_execute(db, pragmas, error);
    if (code == 0)
        code = db_execute(db, "COMMIT", error);
    if (code < 0) {
        db_execute(db, "ROLLBACK", NULL);
        error_prefix(error, "bringing the schema to version %lld", (long long)to);
    }
    return code;
}

int schema_bring_up(struct db *db, const struct schema_step *steps, int version, struct error *error)
{
    int64_t found = 0;
    int code = db_pragma_number(db, "PRAGMA user_version", &found, error);

    if (code == 0)
        code = check_application(db, found, error);
    if (code < 0)
        return code;
    if (found > version)
        return error_set(error, ERROR_VERSION, "store %s: its schema is version %lld, this provostd knows up to %d; install the newer "
                         "version again, or restore the copy made before the upgrade", db->path, (long long)found, version);
    for (; found < version && code == 0; found++)
        code = take_step(db, &steps[found], found + 1, error);
    return code;
}
