#include "connectors/session/sql_select.h"

#include <ctype.h>

void sql_add_name_or_null(struct sql_statement *statement, const char *name)
{
    if (name != NULL)
        sql_add_name(statement, name);
    else
        sql_add(statement, "NULL");
}

/* The value, unless it is too large to be taken, and its length. */
static void add_value_columns(struct sql_statement *statement, const struct layout *layout, int64_t bytes_most)
{
    cleanup_statement struct sql_statement name = { .driver = statement->driver };
    cleanup_statement struct sql_statement length = { .driver = statement->driver };

    sql_add_name(&name, layout->value_column);
    sql_addf(&length, statement->driver->bytes_of, name.text.bytes != NULL ? name.text.bytes : "");
    const char *bytes_of = length.text.bytes != NULL ? length.text.bytes : "";
    sql_addf(statement, "CASE WHEN %s <= %lld THEN %s END, %s", bytes_of, (long long)bytes_most,
             name.text.bytes != NULL ? name.text.bytes : "", bytes_of);
    statement->failed = statement->failed || name.text.failed || length.text.failed;
}

static void add_list(struct sql_statement *statement, const char *column, const char *const *users, bool fold)
{
    cleanup_statement struct sql_statement name = { .driver = statement->driver }, text = { .driver = statement->driver };

    sql_add_name(&name, column);
    sql_addf(&text, statement->driver->text_of, name.text.bytes != NULL ? name.text.bytes : "");
    if (fold)
        sql_addf(statement, "lower(%s)", text.text.bytes != NULL ? text.text.bytes : "");
    else
        sql_add(statement, name.text.bytes != NULL ? name.text.bytes : "");
    for (size_t i = 0; users[i] != NULL; i++) {
        sql_add(statement, i == 0 ? " IN (" : ", ");
        sql_add(statement, fold ? "lower(" : "");
        sql_add_text(statement, users[i]);
        sql_add(statement, fold ? ")" : "");
    }
    sql_add(statement, ")");
    statement->failed = statement->failed || name.text.failed || text.text.failed;
}

static bool has_letters(const char *const *users)
{
    for (; *users != NULL; users++)
        for (const char *c = *users; *c != '\0'; c++)
            if (isalpha((unsigned char)*c))
                return true;
    return false;
}

/* A name in another case is selected, too, where that may be theirs: match_row says so. It costs the column's index; ignore_case = false
 * does without. */
void sql_add_one_of_users(struct sql_statement *statement, const struct layout *layout, const char *const *users)
{
    bool fold = layout->ignore_case != CASE_EXACT && has_letters(users);

    sql_add(statement, fold ? "(" : "");
    add_list(statement, layout->user_column, users, false);
    if (!fold)
        return;
    sql_add(statement, " OR ");
    add_list(statement, layout->user_column, users, true);
    sql_add(statement, ")");
}

#define DAY_US (INT64_C(86400) * 1000000)

/* What had expired when the sessions became void is left; the clock alone, were it ahead, would leave sessions that live. A day of grace:
 * dates without a zone may be local ones, and ending what has ended is harmless. */
void sql_add_unexpired(struct sql_statement *statement, const struct layout *layout, int64_t before_us)
{
    int64_t now_us = clock_wall(clock_system()).us;
    struct wall then = { (before_us < now_us ? before_us : now_us) - DAY_US };
    char date[WALL_TEXT_BYTES] = "";

    sql_add(statement, "(");
    sql_add_name(statement, layout->expires_column);
    sql_add(statement, " IS NULL OR ");
    sql_add_name(statement, layout->expires_column);
    sql_add(statement, " > ");
    wall_strftime(then, "%Y-%m-%d %H:%M:%S", date, sizeof(date));
    if (layout->expires_unit == UNIT_DATE)
        sql_add_text(statement, date);
    else
        sql_add_number(statement, layout->expires_unit == UNIT_SECONDS        ? then.us / 1000000
                                  : layout->expires_unit == UNIT_MILLISECONDS ? then.us / 1000
                                                                              : then.us);
    sql_add(statement, ")");
}

/* SELECT … FROM the table, in the order of a page's cells. */
void sql_add_columns(struct sql_statement *statement, const struct layout *layout, const struct session_settings *settings)
{
    sql_add(statement, "SELECT ");
    sql_add_name(statement, layout->key_column);
    sql_add(statement, ", ");
    if (layout->user_column != NULL) {
        sql_add_name(statement, layout->user_column);
        sql_add(statement, ", NULL");
    } else {
        add_value_columns(statement, layout, settings->value_bytes_most);
    }
    sql_add(statement, ", ");
    sql_add_name_or_null(statement, layout->created_column);
    sql_add(statement, " FROM ");
    sql_add_name(statement, layout->table);
}
