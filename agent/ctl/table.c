#include "ctl/table.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/str.h"

#define GAP 2

void table_start(struct table *table, const char *const *heads)
{
    *table = (struct table){ 0 };
    while (table->columns < TABLE_COLUMNS_MOST && heads[table->columns] != NULL) {
        table->heads[table->columns] = heads[table->columns];
        table->columns++;
    }
}

static char *visible(const char *text)
{
    struct buf buf = { 0 };

    buf_add_visible(&buf, text);
    return buf_take(&buf);
}

void table_cell(struct table *table, enum ctl_colour colour, const char *format, ...)
{
    cleanup_buf struct buf text = { 0 };
    va_list args;

    if (table->count == table->capacity) {
        size_t capacity = table->capacity != 0 ? table->capacity * 2 : 64;
        struct table_cell *cells = realloc(table->cells, capacity * sizeof(*cells));
        if (cells == NULL)
            abort();
        table->cells = cells;
        table->capacity = capacity;
    }
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    table->cells[table->count++] = (struct table_cell){ visible(text.bytes != NULL ? text.bytes : ""), colour };
}

/* Characters, which is columns for the scripts that names and reasons are mostly in. */
static size_t width_of(const char *text)
{
    size_t width = 0;

    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void print_cell(const struct table *table, const struct ctl *ctl, size_t column, const char *text, enum ctl_colour colour,
                       size_t width)
{
    printf("%s%s%s", colour != COLOUR_NONE ? ctl_paint(ctl, colour) : "", text,
           colour != COLOUR_NONE ? ctl_paint(ctl, COLOUR_NONE) : "");
    if (column + 1 < table->columns)
        printf("%*s", (int)(width - width_of(text) + GAP), "");
    else
        putchar('\n');
}

void table_print(const struct table *table, const struct ctl *ctl, const char *indent)
{
    size_t widths[TABLE_COLUMNS_MOST];

    for (size_t column = 0; column < table->columns; column++)
        widths[column] = width_of(table->heads[column]);
    for (size_t i = 0; i < table->count; i++) {
        size_t width = width_of(table->cells[i].text);
        if (width > widths[i % table->columns])
            widths[i % table->columns] = width;
    }
    fputs(indent, stdout);
    for (size_t column = 0; column < table->columns; column++)
        print_cell(table, ctl, column, table->heads[column], COLOUR_DIM, widths[column]);
    for (size_t i = 0; i < table->count; i++) {
        size_t column = i % table->columns;
        fputs(column == 0 ? indent : "", stdout);
        print_cell(table, ctl, column, table->cells[i].text, table->cells[i].colour, widths[column]);
    }
}

void table_free(struct table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i].text);
    free(table->cells);
    *table = (struct table){ 0 };
}

char *table_value(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_NULL:
        return strdup("-");
    case JSON_STRING:
        return strdup(json_string_length(value) > 0 ? json_string_value(value) : "-");
    default:
        return json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    }
}

void table_put_text(const char *text)
{
    cleanup_free char *shown = visible(text);

    fputs(shown, stdout);
}

static bool list_has(const char *const *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i], name) == 0)
            return true;
    return false;
}

static bool occurs(const json_t *rows, const char *name)
{
    size_t index;
    const json_t *row;

    json_array_foreach(rows, index, row)
        if (json_object_get(row, name) != NULL)
            return true;
    return false;
}

static size_t find_columns(const json_t *rows, const char *const *first, const char *heads[TABLE_COLUMNS_MOST + 1])
{
    size_t count = 0, index;
    const json_t *row;
    const char *name;
    const json_t *value;

    for (; *first != NULL && count < TABLE_COLUMNS_MOST; first++)
        if (occurs(rows, *first))
            heads[count++] = *first;
    json_array_foreach(rows, index, row)
        json_object_foreach((json_t *)row, name, value)
            if (count < TABLE_COLUMNS_MOST && !list_has(heads, count, name))
                heads[count++] = name;
    heads[count] = NULL;
    return count;
}

void table_print_rows(const struct ctl *ctl, const json_t *rows, const char *const *first, const char *indent)
{
    const char *heads[TABLE_COLUMNS_MOST + 1];
    size_t count = find_columns(rows, first, heads), index;
    const json_t *row;
    struct table table;

    if (count == 0)
        return;
    table_start(&table, heads);
    json_array_foreach(rows, index, row) {
        for (size_t column = 0; column < count; column++) {
            const json_t *value = json_object_get(row, heads[column]);
            cleanup_free char *text = value != NULL ? table_value(value) : NULL;
            table_cell(&table, COLOUR_NONE, "%s", text != NULL ? text : "-");
        }
    }
    table_print(&table, ctl, indent);
    table_free(&table);
}
