/* SPDX-License-Identifier: MIT */
/* From one stack to another: what the calling convention says a function must keep, and the stack pointer. */
#include "switch.h"

#if defined(__x86_64__)

__asm__(".text\n"
        ".globl model_switch\n"
        ".type model_switch, @function\n"
        "model_switch:\n"
        "    push %rbp\n    push %rbx\n    push %r12\n    push %r13\n    push %r14\n    push %r15\n"
        "    mov %rsp, (%rdi)\n"
        "    mov %rsi, %rsp\n"
        "    pop %r15\n    pop %r14\n    pop %r13\n    pop %r12\n    pop %rbx\n    pop %rbp\n"
        "    ret\n"
        ".size model_switch, .-model_switch\n"
        ".section .note.GNU-stack,\"\",@progbits\n.text\n");

void *model_new_stack(void *top, void (*entry)(void))
{
    uintptr_t *sp = top;

    *--sp = 0; /* entry's return address: it never returns */
    *--sp = (uintptr_t)entry;
    for (int i = 0; i < 6; i++)
        *--sp = 0;
    return sp;
}

#elif defined(__aarch64__)

__asm__(".text\n"
        ".globl model_switch\n"
        ".type model_switch, %function\n"
        "model_switch:\n"
        "    sub sp, sp, #160\n"
        "    stp x19, x20, [sp]\n    stp x21, x22, [sp, #16]\n    stp x23, x24, [sp, #32]\n"
        "    stp x25, x26, [sp, #48]\n    stp x27, x28, [sp, #64]\n    stp x29, x30, [sp, #80]\n"
        "    stp d8, d9, [sp, #96]\n    stp d10, d11, [sp, #112]\n"
        "    stp d12, d13, [sp, #128]\n    stp d14, d15, [sp, #144]\n"
        "    mov x9, sp\n    str x9, [x0]\n    mov sp, x1\n"
        "    ldp x19, x20, [sp]\n    ldp x21, x22, [sp, #16]\n    ldp x23, x24, [sp, #32]\n"
        "    ldp x25, x26, [sp, #48]\n    ldp x27, x28, [sp, #64]\n    ldp x29, x30, [sp, #80]\n"
        "    ldp d8, d9, [sp, #96]\n    ldp d10, d11, [sp, #112]\n"
        "    ldp d12, d13, [sp, #128]\n    ldp d14, d15, [sp, #144]\n"
        "    add sp, sp, #160\n"
        "    ret\n"
        ".size model_switch, .-model_switch\n"
        ".section .note.GNU-stack,\"\",%progbits\n.text\n");

void *model_new_stack(void *top, void (*entry)(void))
{
    uintptr_t *sp = (uintptr_t *)top - 20;

    for (int i = 0; i < 20; i++)
        sp[i] = 0;
    sp[11] = (uintptr_t)entry; /* x30 */
    return sp;
}

#else

/* Slow (a system call each for the signal mask), but it runs anywhere. */
#include <ucontext.h>

#define CONTEXTS 64
static ucontext_t contexts[CONTEXTS];
static unsigned used;

void model_switch(void **from, void *to)
{
    ucontext_t here;
    *from = &here;
    swapcontext(&here, to);
}

void *model_new_stack(void *top, void (*entry)(void))
{
    ucontext_t *c = &contexts[used++ % CONTEXTS];

    getcontext(c);
    c->uc_stack.ss_sp = (char *)top - MODEL_STACK;
    c->uc_stack.ss_size = MODEL_STACK;
    c->uc_link = NULL;
    makecontext(c, entry, 0);
    return c;
}

#endif
