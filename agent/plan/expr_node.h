/*
 * expr_node.h: the compiled form, shared by the parser, the evaluator and
 * templates; private to them. Ownership: a node owns its children and its
 * literal. Threads: read-only after parsing.
 */
#ifndef PROVOST_PLAN_EXPR_NODE_H
#define PROVOST_PLAN_EXPR_NODE_H

#include "plan/expr.h"
#include "plan/functions.h"

enum node_kind {
    NODE_LITERAL,
    NODE_LIST,
    NODE_PATH,
    NODE_DEFAULT, /* a ?? b */
    NODE_CALL,    /* a | function; children: input, arguments */
    NODE_OR,
    NODE_AND,
    NODE_NOT,
    NODE_EQUAL,
    NODE_UNEQUAL,
    NODE_LESS,
    NODE_LESS_EQUAL,
    NODE_GREATER,
    NODE_GREATER_EQUAL,
    NODE_IN,
    NODE_CONTAINS,
    NODE_STARTS_WITH,
    NODE_ENDS_WITH,
};

struct node {
    enum node_kind kind;
    json_t *literal;                 /* LITERAL; PATH: array of the names after the first */
    enum expr_name name;             /* PATH */
    size_t offset;                   /* PATH: in the text */
    bool exact;                      /* comparisons: case counts */
    const struct function *function; /* CALL */
    struct node **children;
    size_t count;
};

/*
 * Parses one expression that begins at `offset`. In braces it ends before a
 * "}", else at the end of the text; *ret_offset is there. *uses gains the
 * NAME_BITs met.
 */
int expr_parse(const char *text, size_t offset, bool in_braces, unsigned names, struct node **ret_node, size_t *ret_offset,
               unsigned *uses, struct expr_error *error);
void node_free(struct node *node); /* NULL is allowed */
int node_value(const struct node *node, const struct expr_input *input, json_t **ret_value, struct error *error);

int expr_error_set(struct expr_error *error, size_t offset, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
