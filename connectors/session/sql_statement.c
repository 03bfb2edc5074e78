#include "connectors/session/sql_statement.h"

#include <ctype.h>
#include <inttypes.h>

void sql_add(struct sql_statement *statement, const char *text)
{
    buf_add_str(&statement->text, text);
}

void sql_addf(struct sql_statement *statement, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    buf_vprintf(&statement->text, format, args);
    va_end(args);
}

/* One part of a name, up to a dot outside of quotes; returns what follows. */
static const char *add_name_part(struct sql_statement *statement, const char *part)
{
    char quote = statement->driver->quote;
    bool kept = *part == '"';

    buf_add_char(&statement->text, quote);
    for (part += kept; *part != '\0' && *part != (kept ? '"' : '.'); part++) {
        if (*part == quote)
            buf_add_char(&statement->text, quote);
        buf_add_char(&statement->text, statement->driver->folds && !kept ? (char)tolower((unsigned char)*part) : *part);
    }
    buf_add_char(&statement->text, quote);
    return *part != '\0' && kept ? part + 1 : part;
}

void sql_add_name(struct sql_statement *statement, const char *name)
{
    name = add_name_part(statement, name);
    while (*name == '.') {
        buf_add_char(&statement->text, '.');
        name = add_name_part(statement, name + 1);
    }
}

static bool grow(struct sql_statement *statement)
{
    if (statement->value_count < statement->capacity)
        return true;
    size_t capacity = statement->capacity == 0 ? 8 : statement->capacity * 2;
    struct sql_value *values = realloc(statement->values, capacity * sizeof(*values));
    if (values == NULL)
        return false;
    statement->values = values;
    statement->capacity = capacity;
    return true;
}

/* A parameter that the text does not name yet. */
static void push_value(struct sql_statement *statement, const char *bytes, size_t length, bool binary)
{
    char *copy = NULL;

    if (bytes != NULL && (copy = malloc(length + 1)) != NULL) {
        memcpy(copy, bytes, length);
        copy[length] = '\0';
    }
    if ((bytes != NULL && copy == NULL) || !grow(statement)) {
        free(copy);
        statement->failed = true;
        return;
    }
    statement->values[statement->value_count++] = (struct sql_value){ copy, length, binary };
}

static void name_value(struct sql_statement *statement)
{
    if (statement->driver->numbered)
        sql_addf(statement, "$%zu", statement->value_count);
    else
        sql_add(statement, "?");
}

void sql_add_value(struct sql_statement *statement, const char *bytes, size_t length, bool binary)
{
    push_value(statement, bytes, length, binary);
    name_value(statement);
}

void sql_add_text(struct sql_statement *statement, const char *text)
{
    sql_add_value(statement, text, text != NULL ? strlen(text) : 0, false);
}

void sql_add_number(struct sql_statement *statement, int64_t number)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, number);
    sql_add_text(statement, text);
}

void sql_add_lookup(struct sql_statement *statement, const char *lookup, const char *text)
{
    char within = '\0'; /* a quoted text or name, where "$1" is only itself */

    if (statement->driver->numbered)
        push_value(statement, text, strlen(text), false);
    for (const char *c = lookup; *c != '\0'; c++) {
        if (within == '\0' && c[0] == '$' && c[1] == '1' && !isdigit((unsigned char)c[2])) {
            if (statement->driver->numbered)
                sql_add(statement, "$1");
            else
                sql_add_text(statement, text);
            c++;
            continue;
        }
        if (within == '\0' && strchr("'\"`", *c) != NULL)
            within = *c;
        else if (*c == within)
            within = '\0';
        buf_add_char(&statement->text, *c);
    }
}

bool sql_statement_failed(const struct sql_statement *statement)
{
    return statement->failed || statement->text.failed;
}

void sql_statement_clear(struct sql_statement *statement)
{
    if (statement == NULL)
        return;
    for (size_t i = 0; i < statement->value_count; i++)
        free((char *)(uintptr_t)statement->values[i].bytes);
    free(statement->values);
    buf_free(&statement->text);
    *statement = (struct sql_statement){ .driver = statement->driver };
}
