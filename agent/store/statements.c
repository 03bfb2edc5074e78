#include "store/statements.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define IDENTITY_OF_LANE "(1099511627775 & " /* the low LANE_IDENTITY_BITS */
#define EVENT_COLUMNS                                                                                                          \
    "id, received, published, uuid, type, outcome, effect, actor, kind, subject_id, subject_name, previous, delivery, "        \
    "deliveries"
#define LINK_COLUMNS "l.key, l.locator, l.account, l.gone, l.due, l.linked, l.member, l.member_key, l.adopted"
#define OPERATION_COLUMNS "o.id, o.delivery, o.at, o.kind, o.locator, o.outcome, o.changes, o.before, o.sessions_found, "   \
    "o.sessions_ended, o.note"
/* A creation that was answered and not settled: a service with keys may have made it all the same, a directory has not. */
#define MAY_HAVE_BEEN_MADE "NOT (answered AND key = '')"
#define LANE_COLUMNS                                                                                                           \
    "l.key, t.name, i.kind, i.id, coalesce(i.login, i.name), l.state, l.at, l.attempt, l.deliveries, l.outcome, l.action, "    \
    "l.reason, l.priority, e.uuid, e.type, l.leaver, l.undone, l.failing, l.oldest, l.since"
#define LANE_TABLES                                                                                                            \
    " FROM lane l JOIN target t ON t.id = l.target JOIN identity i ON i.n = " IDENTITY_OF_LANE "l.key)"                        \
    " LEFT JOIN delivery d ON d.id = l.delivery LEFT JOIN event e ON e.id = d.event "

/* As LANE_COLUMNS, with a state of its own; then by whom. */
#define DROPPED_COLUMNS                                                                                                        \
    "d.lane, t.name, i.kind, i.id, coalesce(i.login, i.name), 6, d.at, d.attempt, 0, d.outcome, d.action, d.reason, 0, NULL, " \
    "NULL, d.leaver, d.undone, 0, 0, d.at, d.by"
#define IS_FAILING "failing > 0 AND leaver = 0 AND state <> 5" /* as in the index lane_failing: dead letters and leavers are counted apart */
/* Its work was refused for good, and has not gone well since: a member's event makes it ready again, too. */
#define GROUP_IS_DEAD(group) "(SELECT state = 5 OR outcome IN ('rejected', 'ambiguous') FROM lane WHERE key = (?1 << 40) | " group ")"
#define WRITTEN_FOR "INDEXED BY member_value_user " /* else all the rows of a target would be read: nothing is known of how many */

static const char *const sql_texts[SQL_COUNT] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_SNAPSHOT] = "BEGIN",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_COUNTERS_READ] = "SELECT event, delivery, operation, identity, generation, quarantine, events, duplicates, "
                          "duplicate_requests, quarantined, received, newest, doubted, ahead, wall, removal FROM counter WHERE id = 1",
    [SQL_COUNTERS_WRITE] = "UPDATE counter SET event=?, delivery=?, operation=?, identity=?, generation=?, quarantine=?, events=?, "
                           "duplicates=?, duplicate_requests=?, quarantined=?, received=?, newest=?, doubted=?, ahead=?, wall=?, "
                           "removal=? WHERE id = 1",
    [SQL_DAY_ADD] = "INSERT OR IGNORE INTO day (day, event) VALUES (?, ?)",
    [SQL_DAY_READ] = "SELECT event FROM day WHERE day >= ? ORDER BY day LIMIT 1",
    [SQL_DAY_TRIM] = "DELETE FROM day WHERE day < ?",

    [SQL_TARGETS_READ] = "SELECT id, name, held, resumed FROM target ORDER BY id",
    [SQL_TARGETS_WORK] = "SELECT t.name, (SELECT count(*) FROM lane WHERE target = t.id), "
                         "(SELECT count(*) FROM lane WHERE target = t.id AND leaver > 0), "
                         "EXISTS (SELECT 1 FROM link WHERE target = t.id AND NOT gone) FROM target t ORDER BY t.id",
    [SQL_TARGET_ADD] = "INSERT INTO target (id, name) VALUES (?, ?)",
    [SQL_TARGET_HOLD] = "UPDATE target SET held = ?1, resumed = resumed OR NOT ?1 WHERE id = ?2",
    [SQL_PLACE_ADD] = "INSERT OR IGNORE INTO session_place (target, place, at) VALUES (?, ?, ?)",
    [SQL_PLACE_READ] = "SELECT at FROM session_place WHERE target = ? AND place = ?",
    [SQL_LANES_UNSEEN] = "SELECT count(*), max(reason) FROM lane WHERE target = ? AND leaver > 0 AND outcome = 'unseen'",

    [SQL_SEEN_ADD] = "INSERT OR IGNORE INTO seen (t, key, event) VALUES (?, ?, ?)",
    [SQL_SEEN_READ] = "SELECT event FROM seen WHERE t = ? AND key = ?",
    [SQL_SEEN_SCAN] = "SELECT event FROM seen WHERE key = ?",

    [SQL_EVENT_ADD] = "INSERT INTO event (" EVENT_COLUMNS ", raw) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [SQL_EVENT_READ] = "SELECT " EVENT_COLUMNS ", raw FROM event WHERE id = ?",
    [SQL_EVENTS_BEFORE] = "SELECT " EVENT_COLUMNS " FROM event WHERE id < ? ORDER BY id DESC LIMIT ?",

    [SQL_IDENTITY_NUMBER] = "SELECT n FROM identity WHERE id = ? AND kind = ?",
    [SQL_IDENTITY_READ] = "SELECT n, last_event, status, status_at, live, live_at, login, login_at, name, name_at, voids, "
                          "present, present_at, profile_at, profile FROM identity WHERE id = ? AND kind = ?",
    [SQL_IDENTITY_ADD] = "INSERT INTO identity (n, kind, id, last_event, status, status_at, live, live_at, login, login_at, name, "
                         "name_at, voids, present, present_at, profile_at, profile) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [SQL_IDENTITY_WRITE] = "UPDATE identity SET last_event=?, status=?, status_at=?, live=?, live_at=?, login_at=?, name=?, name_at=?, "
                           "present=?, present_at=?, profile_at=? WHERE n = ?",
    [SQL_IDENTITY_LOGIN] = "UPDATE identity SET login = ? WHERE n = ?",
    [SQL_IDENTITY_VOIDS] = "UPDATE identity SET voids = ? WHERE n = ?",
    [SQL_IDENTITY_PROFILE] = "UPDATE identity SET profile = ? WHERE n = ?",
    [SQL_IDENTITY_BY_ID] = "SELECT kind, id, n, last_event FROM identity WHERE id = ?",
    [SQL_IDENTITY_BY_LOGIN] = "SELECT kind, id, n, last_event FROM identity WHERE login = ? COLLATE NOCASE LIMIT 2",
    [SQL_IDENTITY_BY_NAME] = "SELECT kind, id, n, last_event FROM identity WHERE name = ? COLLATE NOCASE LIMIT 2",

    [SQL_MEMBERSHIP_READ] = "SELECT present, as_of, name FROM membership WHERE user = ? AND kind = ? AND other = ?",
    [SQL_MEMBERSHIP_WRITE] = "INSERT INTO membership (user, kind, other, present, as_of, name) VALUES (?,?,?,?,?,?) "
                             "ON CONFLICT (user, kind, other) DO UPDATE SET present=excluded.present, as_of=excluded.as_of, "
                             "name=excluded.name",
    [SQL_MEMBERSHIPS_OF] = "SELECT m.kind, coalesce(g.id, m.other), "
                           "CASE WHEN g.present = 0 AND g.present_at <> 0 THEN NULL ELSE coalesce(g.name, m.name) END, m.present, m.as_of "
                           "FROM membership m LEFT JOIN identity g ON m.kind = 0 AND g.n = m.other WHERE m.user = ?",
    [SQL_USERS_IN] = "SELECT user FROM membership WHERE kind = 0 AND other = ? AND user > ? AND present ORDER BY user LIMIT ?",
    [SQL_MEMBERS_OF] = "SELECT u.n, u.id, l.member, l.member_key FROM membership m JOIN identity u ON u.n = m.user "
                       "JOIN link l ON l.lane = (? << 40) | m.user WHERE m.kind = 0 AND m.other = ? AND m.user > ? AND m.present "
                       "AND NOT l.gone ORDER BY m.user LIMIT ?",

    [SQL_DELIVERY_ADD] = "INSERT INTO delivery (id, event, lane, previous, received) VALUES (?,?,?,?,?)",
    [SQL_DELIVERY_READ] = "SELECT previous, received FROM delivery WHERE id = ?",
    [SQL_DELIVERY_FINISH] = "UPDATE delivery SET done=?, outcome=?, action=?, reason=?, attempt=? WHERE id = ?",
    [SQL_DELIVERIES_OF_EVENT] = "SELECT d.id, t.name, i.kind, i.id, coalesce(i.login, i.name), d.done, d.outcome, d.action, d.reason, "
                                "d.attempt, l.state, l.reason, l.at, l.attempt FROM delivery d JOIN target t ON t.id = d.lane >> 40 "
                                "JOIN identity i ON i.n = " IDENTITY_OF_LANE "d.lane) LEFT JOIN lane l ON l.key = d.lane "
                                "WHERE d.id BETWEEN ? AND ? ORDER BY d.id",

    [SQL_LANE_READ] = "SELECT state, priority, delivery, deliveries, generation, attempt, since, oldest, again, "
                      "leaver, failing, outcome IN ('rejected', 'ambiguous', 'dead') FROM lane WHERE key = ?",
    [SQL_LANE_ADD] = "INSERT INTO lane (key, target, state, rank, at, priority, delivery, deliveries, since, oldest, leaver) "
                     "VALUES (?,?,0,?,?,?,?,?,?,?,?)",
    [SQL_LANE_WRITE] = "UPDATE lane SET state=?, rank=?, at=?, priority=?, attempt=?, delivery=?, deliveries=?, since=?, oldest=?, "
                       "leaver=? WHERE key = ?",
    [SQL_LANE_COALESCE] = "UPDATE lane SET priority=?, delivery=?, deliveries=?, oldest=?, again=?, leaver=? WHERE key = ?",
    [SQL_LANE_MOVE] = "UPDATE lane SET state=?, rank=?, at=?, since=?, attempt=attempt*? WHERE key = ?",
    [SQL_LANE_DELETE] = "DELETE FROM lane WHERE key = ?",
    [SQL_LANE_LEASE] = "UPDATE lane SET state=1, rank=0, at=?, generation=?, owner=?, again=0 WHERE key = ?",
    [SQL_LANE_END] = "UPDATE lane SET state=?, rank=?, at=?, since=?, attempt=?, delivery=?, deliveries=?, oldest=?, again=0, owner=NULL, "
                     "outcome=?, action=?, reason=?, undone=?, leaver=?, failing=? WHERE key = ?",
    [SQL_LANES_COUNT] = "SELECT target, state, count(*) FROM lane GROUP BY target, state",
    [SQL_LANES_OF_OWNER] = "SELECT key, priority, since FROM lane WHERE target = ? AND state = 1 AND rank = 0 AND owner = ? LIMIT ?",
    [SQL_LANES_PAST] = "SELECT key, priority, since FROM lane WHERE target = ? AND state = ? AND rank = 0 AND at <= ? ORDER BY at LIMIT ?",
    [SQL_LANES_READY] = "SELECT key FROM lane WHERE target = ? AND state = 0 AND rank = ? ORDER BY at LIMIT ?",
    [SQL_LANES_NEXT] = "SELECT at FROM lane WHERE target = ? AND state = ? AND rank = 0 ORDER BY at LIMIT 1",
    [SQL_LANES_HURRY] = "UPDATE lane SET at = ?1 WHERE target = ?2 AND state = 2 AND rank = 0 AND at > ?1 AND outcome = ?3",
    [SQL_LANES_SHIFT] = "UPDATE lane SET at = at + ? WHERE target = ? AND state = ?",
    [SQL_LANES_BACK] = "UPDATE lane SET at = ? WHERE target = ? AND state = ? AND rank = 0 AND at > ? AND at <= ?",
    [SQL_LANES_DROP] = "SELECT key, priority, since FROM lane WHERE target = ? AND state = 5 AND rank = 0 AND at <= ? AND leaver <= ? "
                       "ORDER BY at LIMIT ?",
    [SQL_LANES_DROP_ANY] = "SELECT key, state FROM lane WHERE target = ? AND state <> 1 AND leaver <= ? LIMIT ?",
    [SQL_DROPPED_ADD] = "INSERT OR REPLACE INTO dropped (lane, target, at, by, leaver, attempt, outcome, action, reason, undone) "
                        "SELECT key, target, ?, ?, leaver, attempt, outcome, action, reason, undone FROM lane WHERE key = ?",
    [SQL_DROPPED_DELETE] = "DELETE FROM dropped WHERE lane = ?",
    [SQL_DROPPED_OF_TARGET] = "SELECT lane, leaver FROM dropped WHERE target = ?1 AND (?2 = 0 OR lane = (?1 << 40) | ?2) LIMIT "
    "?3",
    [SQL_DROPPED_COUNT] = "SELECT count(*), min(at) FROM dropped WHERE target = ? AND leaver > 0",
    [SQL_DROPPED_LEAVERS] = "SELECT " DROPPED_COLUMNS " FROM dropped d JOIN target t ON t.id = d.target JOIN identity i ON i.n = "
                            IDENTITY_OF_LANE "d.lane) WHERE d.target = ? AND d.leaver > 0 ORDER BY d.at LIMIT ?",
    [SQL_DROPPED_OF_IDENTITY] = "SELECT " DROPPED_COLUMNS " FROM target t JOIN dropped d ON d.lane = (t.id << 40) | ?1 "
                                "JOIN identity i ON i.n = ?1 ORDER BY t.name",
    [SQL_LANES_LEAVING] = "SELECT count(*), min(leaver) FROM lane WHERE target = ? AND leaver > 0",
    [SQL_LANES_LEAVING_DEAD] = "SELECT count(*) FROM lane WHERE target = ? AND leaver > 0 AND state = 5",
    [SQL_LANES_FAILING] = "SELECT count(*), min(failing) FROM lane WHERE target = ? AND " IS_FAILING,
    [SQL_LEAVERS] = "SELECT " LANE_COLUMNS LANE_TABLES "WHERE l.target = ? AND l.leaver > 0 ORDER BY l.leaver LIMIT ?",
    [SQL_FAILING] = "SELECT " LANE_COLUMNS LANE_TABLES "WHERE l.target = ? AND " IS_FAILING " ORDER BY l.failing LIMIT ?",
    [SQL_WAITING] = "SELECT " LANE_COLUMNS LANE_TABLES "WHERE l.target = ? AND l.leaver = 0 AND l.state IN (0, 1, 2, 4) "
                    "ORDER BY l.failing = 0, l.failing, CASE WHEN l.oldest > 0 THEN l.oldest ELSE l.since END LIMIT ?",
    [SQL_LANE_DETAIL] = "SELECT " LANE_COLUMNS LANE_TABLES "WHERE l.key = ?",
    [SQL_DEAD_BEFORE] = "SELECT " LANE_COLUMNS LANE_TABLES "WHERE l.target = ? AND l.state = 5 AND l.rank = 0 "
                        "AND (l.at, l.key) < (?, ?) ORDER BY l.at DESC, l.key DESC LIMIT ?",
    [SQL_LEASE_DETAIL] = "SELECT i.kind, i.id, l.rank, l.attempt, l.delivery, l.deliveries, l.oldest, e.uuid, e.type, d.received, l.at "
                         "FROM lane l JOIN identity i ON i.n = " IDENTITY_OF_LANE "l.key) LEFT JOIN delivery d ON d.id = l.delivery "
                         "LEFT JOIN event e ON e.id = d.event WHERE l.key = ?",

    [SQL_LINK_READ] = "SELECT " LINK_COLUMNS " FROM link l WHERE l.lane = ?",
    [SQL_LINK_WRITE] = "INSERT INTO link (lane, target, kind, key, locator, account, gone, due, linked, member, member_key, adopted) "
                       "VALUES (?,?,?,?,?,?,?,?,?,?,?,?) "
                       "ON CONFLICT (lane) DO UPDATE SET key=excluded.key, locator=excluded.locator, account=excluded.account, "
                       "gone=excluded.gone, due=excluded.due, linked=excluded.linked, member=excluded.member, "
                       "member_key=excluded.member_key, adopted=excluded.adopted",
    [SQL_LINK_LEFT] = "UPDATE link SET gone = 1 WHERE lane = (?1 << 40) | ?2 AND adopted = 2 AND NOT gone AND NOT EXISTS (SELECT 1 FROM "
                      "member_value WHERE target = ?1 AND grp = ?2)",
    [SQL_LINK_OWNER] = "SELECT l.lane, i.id, coalesce(i.login, i.name) FROM link l LEFT JOIN identity i ON i.n = " IDENTITY_OF_LANE
                       "l.lane) WHERE l.target = ? AND l.kind = ? AND l.key = ? AND NOT l.gone",
    [SQL_LINKS_OF_IDENTITY] = "SELECT t.name, " LINK_COLUMNS " FROM target t JOIN link l ON l.lane = (t.id << 40) | ? ORDER BY t.name",

    [SQL_OPERATION_ADD] = "INSERT INTO operation (id, delivery, lane, identity, at, kind, locator, outcome, changes, before, "
                          "sessions_found, sessions_ended, note) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [SQL_OPERATION_READ] = "SELECT " OPERATION_COLUMNS ", t.name, i.kind, i.id, coalesce(i.login, i.name), d.event FROM operation o "
                           "JOIN target t ON t.id = o.lane >> 40 JOIN identity i ON i.n = o.identity "
                           "LEFT JOIN delivery d ON d.id = o.delivery WHERE o.id = ?",
    [SQL_OPERATIONS_OF_DELIVERY] = "SELECT " OPERATION_COLUMNS ", t.name FROM operation o JOIN target t ON t.id = o.lane >> 40 "
                                   "WHERE o.identity = (SELECT " IDENTITY_OF_LANE "lane) FROM delivery WHERE id = ?1) "
                                   "AND o.delivery = ?1 ORDER BY o.id",
    [SQL_OPERATIONS_OF_IDENTITY] = "SELECT " OPERATION_COLUMNS ", t.name FROM operation o JOIN target t ON t.id = o.lane >> 40 "
                                   "WHERE o.identity = ? ORDER BY o.id DESC LIMIT ?",

    [SQL_QUARANTINE_ADD] = "INSERT INTO quarantine (id, at, peer, reason, bytes, body) VALUES (?,?,?,?,?,?)",
    [SQL_QUARANTINE_TRIM] = "DELETE FROM quarantine WHERE id <= ?",
    [SQL_QUARANTINE_LIST] = "SELECT id, at, peer, reason, bytes, body FROM quarantine ORDER BY id DESC LIMIT ?",

    [SQL_RETAIN_EVENTS] = "SELECT id, received, delivery, deliveries, published FROM event WHERE id > ? ORDER BY id LIMIT ?",
    [SQL_RETAIN_PENDING] = "SELECT 1 FROM delivery WHERE id BETWEEN ? AND ? AND outcome IS NULL LIMIT 1",
    [SQL_RETAIN_DELIVERIES] = "DELETE FROM delivery WHERE id BETWEEN ? AND ?",
    [SQL_RETAIN_EVENT] = "DELETE FROM event WHERE id = ?",
    [SQL_RETAIN_KEYS] = "SELECT t, key, event FROM seen WHERE (t, key) > (?, ?) AND t < ? ORDER BY t, key LIMIT ?",
    [SQL_RETAIN_KEY] = "DELETE FROM seen WHERE t = ? AND key = ?",
    [SQL_INTENT_READ] = "SELECT key, at, answered FROM intent WHERE lane = ? AND operation = ? AND digest = ?",
    [SQL_INTENT_WRITE] = "INSERT INTO intent (lane, operation, digest, key, at, sent, place, generation) VALUES (?,?,?,?,?,?,?,?) "
                         "ON CONFLICT (lane, operation, digest) DO UPDATE SET key=excluded.key, at=excluded.at, answered=0",
    [SQL_INTENT_NOTE] = "INSERT INTO intent (lane, operation, digest, key, at, sent, place, generation) VALUES (?,'create',?,'',?,?,?,?) "
                        "ON CONFLICT (lane, operation, digest) DO UPDATE SET at=excluded.at, answered=0, generation=excluded.generation "
                        "WHERE answered",
    [SQL_INTENT_OTHERS] = "SELECT count(*), max(wait), json_group_array(json(sent)) FILTER (WHERE sent IS NOT NULL AND digest <> ?) "
                          "FROM intent WHERE lane = ? AND operation = ?",
    [SQL_INTENT_WAIT] = "UPDATE intent SET wait = ?, answered = ? WHERE lane = ? AND operation = ? AND digest = ?",
    [SQL_INTENTS_SENT] = "SELECT json_group_array(json(sent)) FILTER (WHERE sent IS NOT NULL) FROM intent WHERE lane = ? AND operation = ? "
                         "AND " MAY_HAVE_BEEN_MADE " HAVING count(*) > 0",
    [SQL_INTENT_CREATOR] = "SELECT t.lane, i.id, i.name FROM intent t JOIN identity i ON i.n = " IDENTITY_OF_LANE "t.lane) "
                           "WHERE t.place = ?1 AND t.lane >> 40 = ?2 AND t.lane <> ?3 AND NOT t.answered",
    [SQL_INTENTS_PENDING] = "SELECT 1 FROM intent WHERE lane = ? AND operation = 'create' AND " MAY_HAVE_BEEN_MADE " LIMIT 1",
    [SQL_INTENTS_SHIFT] = "UPDATE intent SET at = at + ?1, wait = wait + ?1 * (wait > 0)",
    [SQL_INTENT_DELETE] = "DELETE FROM intent WHERE lane = ? AND operation = ? AND digest = ?",
    [SQL_INTENTS_DELETE] = "DELETE FROM intent WHERE lane = ?",
    [SQL_INTENTS_FORGET] = "DELETE FROM intent WHERE lane = ? AND operation = 'create' AND place <> ?",
    [SQL_INTENTS_UNSENT] = "DELETE FROM intent WHERE lane = ? AND generation = ?",
    [SQL_RETAIN_INTENTS] = "DELETE FROM intent WHERE at < ?",

    /* What a person must have in groups: a row for each group of the facts that has an entry. */
    [SQL_MEMBERS_NOTE] = "INSERT INTO member_value (target, grp, key, user, state, value) "
                         "SELECT l.target, m.other, l.member_key, m.user, 1, l.member FROM link l "
                         "JOIN membership m ON m.user = ?2 AND m.kind = 0 AND m.present "
                         "JOIN link g ON g.lane = (?1 << 40) | m.other AND NOT g.gone AND g.adopted <> 2 "
                         "WHERE l.lane = (?1 << 40) | ?2 AND NOT l.gone AND l.member IS NOT NULL "
                         "ON CONFLICT (target, grp, key, user) DO UPDATE SET state = 1 WHERE state = 3",
    [SQL_MEMBER_PUT] = "INSERT INTO member_value (target, grp, key, user, state, value) VALUES (?,?,?,?,?,?) "
                       "ON CONFLICT (target, grp, key, user) DO UPDATE SET state = excluded.state, value = excluded.value",
    [SQL_MEMBER_DELETE] = "DELETE FROM member_value WHERE target = ? AND grp = ? AND key = ? AND user = ?",
    [SQL_MEMBER_SHARERS] = "SELECT user FROM member_value WHERE target = ? AND grp = ? AND key = ? AND user <> ?",
    [SQL_MEMBERS_LEAVING] = "SELECT user FROM member_value WHERE target = ? AND grp = ? AND state = 3",
    [SQL_MEMBERS_DROP] = "DELETE FROM member_value WHERE target = ? AND grp = ?",
    /* Whose value in a group is missing or unsure, and whose must not be there. */
    [SQL_MEMBERS_WRONG] = "SELECT m.user FROM membership m JOIN link l ON l.lane = (?1 << 40) | m.user AND NOT l.gone "
                          "JOIN link g ON g.lane = (?1 << 40) | ?2 AND g.adopted <> 2 "
                          "LEFT JOIN member_value v ON v.target = ?1 AND v.grp = ?2 AND v.key = l.member_key AND v.user = m.user "
                          "WHERE m.kind = 0 AND m.other = ?2 AND m.present AND v.state IS NOT 2 AND l.member_key IS NOT '' UNION "
                          "SELECT v.user FROM member_value v LEFT JOIN link l ON l.lane = (?1 << 40) | v.user "
                          "LEFT JOIN membership m ON m.user = v.user AND m.kind = 0 AND m.other = ?2 "
                          "LEFT JOIN link g ON g.lane = (?1 << 40) | ?2 WHERE v.target = ?1 AND v.grp = ?2 AND "
                          "(l.gone IS NOT 0 OR l.member_key IS NOT v.key OR m.present IS NOT 1 OR g.adopted IS 2)",
    /* Of whom a fact says anything about the group. */
    [SQL_MEMBERS_HEARD] = "SELECT m.user FROM membership m JOIN link l ON l.lane = (?1 << 40) | m.user AND NOT l.gone "
                          "WHERE m.kind = 0 AND m.other = ?2",
    /* Whose value in a group is wrong, for one user, of the groups that have an entry. */
    [SQL_MEMBER_WRONG] = "SELECT 1 FROM member_value v " WRITTEN_FOR "JOIN link g ON g.lane = (?1 << 40) | v.grp AND NOT g.gone "
                         "LEFT JOIN link l ON l.lane = (?1 << 40) | ?2 LEFT JOIN membership m ON m.user = ?2 AND m.kind = 0 AND m.other = v.grp "
                         "WHERE v.target = ?1 AND v.user = ?2 AND (l.gone IS NOT 0 OR l.member_key IS NOT v.key OR m.present IS NOT 1 "
                         "OR g.adopted = 2) LIMIT 1",
    [SQL_MEMBER_ROWS] = "SELECT g.id, v.key, v.value, v.state, m.present AND l.adopted IS NOT 2, EXISTS (SELECT 1 FROM member_value o WHERE o.target = v.target "
                        "AND o.grp = v.grp AND o.key = v.key AND o.user <> v.user), l.key, l.locator, " GROUP_IS_DEAD("v.grp") " FROM member_value v " WRITTEN_FOR
                        "JOIN identity g ON g.n = v.grp LEFT JOIN membership m ON m.user = v.user AND m.kind = 0 AND m.other = v.grp "
                        "LEFT JOIN link l ON l.lane = (v.target << 40) | v.grp AND NOT l.gone WHERE v.target = ?1 AND v.user = ?2",
    [SQL_MEMBER_FACTS] = "SELECT g.id, NULL, NULL, 0, m.present, EXISTS (SELECT 1 FROM member_value o WHERE o.target = ?1 AND o.grp = m.other "
                         "AND o.key = ?3 AND o.user <> ?2), l.key, l.locator, " GROUP_IS_DEAD("m.other") " FROM membership m JOIN identity g ON g.n = m.other "
                         "LEFT JOIN link l ON l.lane = (?1 << 40) | m.other AND NOT l.gone WHERE m.user = ?2 AND m.kind = 0 "
                         "AND l.adopted IS NOT 2 AND NOT EXISTS (SELECT 1 FROM member_value v WHERE v.target = ?1 AND v.grp = m.other AND v.user = ?2 "
                         "AND v.key = ?3)",
    [SQL_MEMBER_WRITTEN] = "SELECT 1 FROM member_value v WHERE v.target = ?1 AND v.key = ?4 AND v.grp IN "
                           "(SELECT " IDENTITY_OF_LANE "lane) FROM link WHERE target = ?1 AND kind = 1 AND key = ?2 AND NOT gone "
                           "UNION ALL SELECT " IDENTITY_OF_LANE "lane) FROM intent WHERE place = ?3 AND lane >> 40 = ?1) LIMIT 1",
    [SQL_RETAIN_DROPPED] = "DELETE FROM dropped WHERE at < ?",
    [SQL_RETAIN_SIGN_INS] = "DELETE FROM membership WHERE (user, kind, other) IN (SELECT user, kind, other FROM membership "
                            "INDEXED BY membership_sign_in WHERE kind = 2 AND as_of < ? LIMIT ?)",
    [SQL_RETAIN_OPERATIONS] = "DELETE FROM operation WHERE id < (SELECT min(id) FROM operation) + ? AND at < ?",
};

/* SQLite's primary result → our code, and what would help */
static const struct {
    int result;
    int code;
    const char *help;
} result_rows[] = {
    { SQLITE_FULL, ERROR_FULL, "the disk is full; free some space" },
    { SQLITE_READONLY, ERROR_READONLY, "it can only be read; check its owner, its mode and how the disk is mounted" },
    { SQLITE_PERM, ERROR_DENIED, "permission denied; check the owner and mode of the file and its folder" },
    { SQLITE_AUTH, ERROR_DENIED, "permission denied; check the owner and mode of the file and its folder" },
    { SQLITE_CANTOPEN, ERROR_IO, "it cannot be opened; check that the folder is there and may be written" },
    { SQLITE_BUSY, ERROR_BUSY, "another process has locked it; stop that process" },
    { SQLITE_LOCKED, ERROR_BUSY, "another process has locked it; stop that process" },
    { SQLITE_CORRUPT, ERROR_CORRUPT, "the file is damaged; stop provostd and restore a copy" },
    { SQLITE_NOTADB, ERROR_CORRUPT, "the file is no database, or a damaged one; name another file or restore a copy" },
    { SQLITE_NOMEM, ERROR_NOMEM, "out of memory" },
    { SQLITE_TOOBIG, ERROR_TOOBIG, "a value is too big" },
    { SQLITE_PROTOCOL, ERROR_BUSY, "another process has locked it; stop that process" },
};

static size_t result_row(int result)
{
    for (size_t i = 0; i < sizeof(result_rows) / sizeof(result_rows[0]); i++)
        if (result_rows[i].result == (result & 0xff))
            return i;
    return SIZE_MAX;
}

static int io_code(int errnum)
{
    int code = errnum != 0 ? error_from_errno(errnum) : ERROR_IO;

    return code == ERROR_FULL || code == ERROR_READONLY ? code : ERROR_IO;
}

int db_error(struct db *db, int result, const char *doing, struct error *error)
{
    size_t row = result_row(result);
    int errnum = db->handle != NULL ? sqlite3_system_errno(db->handle) : 0;

    if (result == SQLITE_IOERR_NOMEM)
        return error_nomem(error);
    if ((result & 0xff) == SQLITE_IOERR)
        return error_set(error, io_code(errnum), "store %s: %s: %s; check the disk and the system's log", db->path, doing,
                         errnum != 0 ? strerror(errnum) : sqlite3_errstr(result));
    if (row != SIZE_MAX)
        return error_set(error, result_rows[row].code, "store %s: %s: %s", db->path, doing, result_rows[row].help);
    return error_set(error, ERROR_INTERNAL, "store %s: %s: %s (%d)", db->path, doing,
                     db->handle != NULL ? sqlite3_errmsg(db->handle) : sqlite3_errstr(result), result);
}

static void configure_library(void)
{
    /* its memory statistics cost a lock for each allocation; nobody reads them */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

int db_open(const char *path, bool reader, struct db **ret_db, struct error *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct db *db = calloc(1, sizeof(*db));

    pthread_once(&once, configure_library);
    if (db == NULL)
        return error_nomem(error);
    db->path = path;
    int result = sqlite3_open_v2(path, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (result != SQLITE_OK) {
        int code = db_error(db, result, "opening", error);
        db_close(db);
        return code;
    }
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_timeout(db->handle, reader ? 2000 : 250);
    *ret_db = db;
    return 0;
}

void db_close(struct db *db)
{
    if (db == NULL)
        return;
    for (size_t i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize(db->statements[i]);
    sqlite3_close(db->handle);
    free(db);
}

static int get_statement(struct db *db, enum sql sql, sqlite3_stmt **ret_statement, struct error *error)
{
    if (db->statements[sql] == NULL) {
        int result = sqlite3_prepare_v3(db->handle, sql_texts[sql], -1, SQLITE_PREPARE_PERSISTENT, &db->statements[sql], NULL);
        if (result != SQLITE_OK)
            return db_error(db, result, "preparing", error);
    }
    *ret_statement = db->statements[sql];
    return 0;
}

static int bind_all(sqlite3_stmt *statement, const char *types, va_list args)
{
    int result = SQLITE_OK;

    for (int i = 1; *types != '\0' && result == SQLITE_OK; types++, i++) {
        if (*types == 'i') {
            result = sqlite3_bind_int64(statement, i, va_arg(args, int64_t));
        } else if (*types == 't') {
            result = sqlite3_bind_text(statement, i, va_arg(args, const char *), -1, SQLITE_STATIC);
        } else {
            const void *bytes = va_arg(args, const void *);
            result = sqlite3_bind_blob64(statement, i, bytes, (sqlite3_uint64)va_arg(args, int64_t), SQLITE_STATIC);
        }
    }
    return result;
}

int db_run(struct db *db, enum sql sql, struct error *error, const char *types, ...)
{
    sqlite3_stmt *statement;
    va_list args;
    int code = get_statement(db, sql, &statement, error);

    if (code < 0)
        return code;
    va_start(args, types);
    int result = bind_all(statement, types, args);
    va_end(args);
    if (result == SQLITE_OK)
        do
            result = sqlite3_step(statement);
        while (result == SQLITE_ROW);
    if (result != SQLITE_DONE)
        code = db_error(db, result, sql == SQL_COMMIT ? "committing" : sql == SQL_BEGIN ? "starting to write" : "writing", error);
    sqlite3_reset(statement);
    return code;
}

int db_next(struct db *db, enum sql sql, sqlite3_stmt **row, struct error *error, const char *types, ...)
{
    int result = SQLITE_OK;

    if (*row == NULL) {
        sqlite3_stmt *statement;
        va_list args;
        int code = get_statement(db, sql, &statement, error);
        if (code < 0)
            return code;
        va_start(args, types);
        result = bind_all(statement, types, args);
        va_end(args);
        *row = statement;
    }
    if (result == SQLITE_OK)
        result = sqlite3_step(*row);
    if (result == SQLITE_ROW)
        return 1;
    int code = result == SQLITE_DONE ? 0 : db_error(db, result, "reading", error);
    sqlite3_reset(take_pointer(*row));
    return code;
}

int db_execute(struct db *db, const char *sql, struct error *error)
{
    int result = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

    return result == SQLITE_OK ? 0 : db_error(db, result, "preparing the file", error);
}

int db_pragma_number(struct db *db, const char *sql, int64_t *ret_number, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL);

    if (result == SQLITE_OK)
        result = sqlite3_step(statement);
    if (result == SQLITE_ROW)
        *ret_number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return result == SQLITE_ROW || result == SQLITE_DONE ? 0 : db_error(db, result, "reading the file", error);
}
