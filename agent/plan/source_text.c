#include "plan/source_text.h"

#include <string.h>

/* How many lines after the setting's own its value may begin. */
#define LINES_MOST 20

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte that a literal has at *text, moved past; as libconfig reads it. */
static char take_byte(const char **text)
{
    static const char from[] = "nrtf", to[] = "\n\r\t\f";
    const char *p = *text;

    if (p[0] != '\\' || p[1] == '\0') {
        *text = p + 1;
        return p[0];
    }
    if (p[1] == 'x' && hex(p[2]) >= 0 && hex(p[3]) >= 0) {
        *text = p + 4;
        return (char)(hex(p[2]) * 16 + hex(p[3]));
    }
    const char *known = strchr(from, p[1]);
    *text = p + 2;
    return known != NULL ? to[known - from] : p[1];
}

/* The literal behind the quote at `quote` means `value`: where its byte `offset` is. */
static const char *match_literal(const char *quote, const char *value, size_t offset)
{
    const char *p = quote + 1;
    const char *found = offset == 0 ? p : NULL;

    for (size_t i = 0; value[i] != '\0'; i++) {
        if (i == offset)
            found = p;
        if (*p == '"' || *p == '\0' || take_byte(&p) != value[i])
            return NULL;
    }
    if (*p != '"')
        return NULL;
    return found != NULL ? found : p;
}

static const char *skip_lines(const char *source, int lines)
{
    while (lines > 0 && source != NULL) {
        source = strchr(source, '\n');
        source = source != NULL ? source + 1 : NULL;
        lines--;
    }
    return source;
}

bool source_text_find(const char *source, int line, const char *value, size_t offset, int *ret_line, int *ret_column)
{
    const char *start = skip_lines(source, line - 1);
    const char *found = NULL;

    if (start == NULL || line < 1)
        return false;
    int lines = 0;
    for (const char *p = start; *p != '\0' && found == NULL && lines <= LINES_MOST; p++) {
        if (*p == '\n')
            lines++;
        else if (*p == '"')
            found = match_literal(p, value, offset);
    }
    if (found == NULL)
        return false;
    int row = line;
    for (const char *p = start; p < found; p++)
        if (*p == '\n') {
            row++;
            start = p + 1;
        }
    *ret_line = row;
    *ret_column = (int)(found - start) + 1;
    return true;
}

bool source_text_find_anywhere(const char *source, const char *value, size_t offset, int *ret_line, int *ret_column)
{
    int line = 1;

    for (const char *rest = source; rest != NULL; rest = skip_lines(rest, LINES_MOST), line += LINES_MOST)
        if (source_text_find(source, line, value, offset, ret_line, ret_column))
            return true;
    return false;
}
