/* SPDX-License-Identifier: MIT */
/*
 * heap_child: first of the ops that are later than this one. heap_next: its next sibling. heap_link: the pointer that
 * points at this op, NULL outside the heap.
 */
#include "deadline.h"

/* Two trees without siblings become one; the later root becomes the first child of the earlier. */
static struct strait_op *strait_deadline_join(struct strait_op *a, struct strait_op *b)
{
    if (!a || !b)
        return a ? a : b;
    if (b->deadline_ns < a->deadline_ns) {
        struct strait_op *earlier = b;
        b = a;
        a = earlier;
    }
    b->heap_next = a->heap_child;
    if (b->heap_next)
        b->heap_next->heap_link = &b->heap_next;
    b->heap_link = &a->heap_child;
    a->heap_child = b;
    return a;
}

/* Joins siblings in pairs from the left, then the pairs from the right: the order that makes it O(log n) in the long run. */
static struct strait_op *strait_deadline_collapse(struct strait_op *first)
{
    struct strait_op *pairs = NULL, *root = NULL;

    while (first) {
        struct strait_op *a = first, *b = a->heap_next;
        first = b ? b->heap_next : NULL;
        a->heap_next = NULL;
        if (b)
            b->heap_next = NULL;
        a = strait_deadline_join(a, b);
        a->heap_next = pairs;
        pairs = a;
    }
    while (pairs) {
        struct strait_op *rest = pairs->heap_next;
        pairs->heap_next = NULL;
        root = strait_deadline_join(root, pairs);
        pairs = rest;
    }
    return root;
}

static void strait_deadline_set_root(struct strait_op **heap, struct strait_op *root)
{
    *heap = root;
    if (root)
        root->heap_link = heap;
}

void strait_deadline_add(struct strait_op **heap, struct strait_op *op)
{
    op->heap_child = op->heap_next = NULL;
    strait_deadline_set_root(heap, strait_deadline_join(*heap, op));
}

void strait_deadline_remove(struct strait_op **heap, struct strait_op *op)
{
    struct strait_op *below;

    if (!op->heap_link)
        return;
    below = strait_deadline_collapse(op->heap_child);
    *op->heap_link = op->heap_next;
    if (op->heap_next)
        op->heap_next->heap_link = op->heap_link;
    op->heap_child = op->heap_next = NULL;
    op->heap_link = NULL;
    /* If op was the root, *heap is NULL by now. */
    strait_deadline_set_root(heap, strait_deadline_join(*heap, below));
}
