#include "base/problem.h"

#include "base/str.h"

static void add(struct problems *problems, struct problem problem)
{
    struct problem *list = realloc(problems->list, (problems->count + 1) * sizeof(*list));

    if (list == NULL)
        abort(); /* only at start-up and in tools: an unseen mistake would be worse */
    problems->list = list;
    list[problems->count++] = problem;
}

void problems_add(struct problems *problems, const char *file, int line, int column, const char *format, ...)
{
    struct buf text = { 0 };
    va_list args;

    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    add(problems, (struct problem){ str_dup(file), line, column, buf_take(&text) });
}

void problems_add_once(struct problems *problems, const char *format, ...)
{
    struct buf line = { 0 };
    bool known = false;
    va_list args;

    va_start(args, format);
    buf_vprintf(&line, format, args);
    va_end(args);
    char *text = buf_take(&line);
    for (size_t i = 0; i < problems->count && !known; i++)
        known = str_equal(problems->list[i].text, text);
    if (known)
        free(text);
    else
        add(problems, (struct problem){ .text = text });
}

void problems_print(const struct problems *problems, FILE *stream)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->list[i];
        if (problem->file != NULL)
            fprintf(stream, "%s:", problem->file);
        if (problem->line > 0)
            fprintf(stream, "%d:", problem->line);
        if (problem->line > 0 && problem->column > 0)
            fprintf(stream, "%d:", problem->column);
        fprintf(stream, "%s%s\n", problem->file != NULL ? " " : "", problem->text);
    }
}

void problems_free(struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        free(problems->list[i].file);
        free(problems->list[i].text);
    }
    free(problems->list);
    *problems = (struct problems){ 0 };
}
